import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { RerankError, show } from "../errors.js";
import { hasSize } from "./hub/cache.js";
import type { Config, ModelFiles } from "./model-files.js";

/** What those know who write graphs, asked before weights are downloaded. */
export interface KnownArchitectures {
  /** Whether we write graphs for this kind of model. */
  includes(config: Config): boolean;
  /** @throws {RerankError} `MODEL_UNSUPPORTED` or `MODEL_INVALID` for a model that no graph can be written for */
  check(config: Config): void;
}

/** Something that has a model's files: a folder, a snapshot in the cache, or a hub repository. */
export interface FileSource {
  /** For messages. */
  where: string;
  /** Names of all files, relative, with forward slashes. */
  names: ReadonlySet<string>;
  /** Makes a file of `names` available and returns its absolute path. */
  get(name: string): Promise<string>;
}

/** A file that every model has is not there. In a cache that may only mean that it was not fetched yet. */
export class MissingFile extends RerankError {}

/**
 * Gets the files that running a model takes, and no others: the small ones first, so that what is wrong with a model
 * shows before its weights are downloaded.
 */
export async function selectFiles(
  source: FileSource,
  known: KnownArchitectures,
): Promise<Omit<ModelFiles, "model" | "revision">> {
  const paths: Record<string, string> = {};
  const get = async (name: string) => {
    paths[name] ??= await source.get(name);
    return paths[name];
  };
  if (!source.names.has("config.json")) {
    throw new MissingFile("MODEL_NOT_FOUND", `${source.where} holds no model: it has no config.json.`);
  }
  const config = await readJson(await get("config.json"), source);
  checkTokenizer(source);
  const weights = selectWeights(config, source, known);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) if (source.names.has(name)) await get(name);
  if (weights.kind === "onnx") {
    for (const name of weights.files) await get(name);
    return { paths, config, weights: { kind: "onnx", graph: await get(ONNX) } };
  }
  const names = weights.file === INDEX ? shardNames(await readJson(await get(INDEX), source), source) : [weights.file];
  const shards: string[] = [];
  for (const name of names) shards.push(await get(name));
  return { paths, config, weights: { kind: "safetensors", shards } };
}

/** A folder on this machine, a snapshot of the cache included. Empty files and dangling links do not count. */
export async function folderSource(folder: string): Promise<FileSource> {
  const listed = [
    ...(await readdir(folder)),
    ...(await readdir(join(folder, "onnx")).catch(() => [])).map((name) => `onnx/${name}`),
  ];
  const pathOf = (name: string) => join(folder, ...name.split("/"));
  const exist = await Promise.all(listed.map((name) => hasSize(pathOf(name), undefined)));
  return {
    where: folder,
    names: new Set(listed.filter((_, index) => exist[index])),
    get: async (name) => pathOf(name),
  };
}

const INDEX = "model.safetensors.index.json";
const ONNX = "onnx/model.onnx";

/** Where the weights are, by name: one safetensors file or an index of them, or a graph and its external data. */
type WeightNames = { kind: "safetensors"; file: string } | { kind: "onnx"; files: string[] };

/** Our own graph on safetensors where we know the architecture, else the repository's own ONNX graph. */
function selectWeights(config: Config, { names, where }: FileSource, known: KnownArchitectures): WeightNames {
  const safetensors = ["model.safetensors", INDEX].find((name) => names.has(name));
  if (safetensors && (known.includes(config) || !names.has(ONNX))) {
    known.check(config);
    return { kind: "safetensors", file: safetensors };
  }
  if (names.has(ONNX)) {
    const data = [...names].filter((name) => /^onnx\/model\.onnx[._]data(_\d+)?$/.test(name)).sort();
    return { kind: "onnx", files: [ONNX, ...data] };
  }
  const other = ["pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"];
  const found = other.filter((name) => names.has(name)).join(", ");
  throw new MissingFile(
    "MODEL_UNSUPPORTED",
    `${where} has no model.safetensors and no onnx/model.onnx${found ? `, only ${found}` : ""}. Save it as safetensors: in Python, AutoModelForSequenceClassification.from_pretrained(...).save_pretrained("folder", safe_serialization=True), or with https://huggingface.co/spaces/safetensors/convert.`,
  );
}

function checkTokenizer({ names, where }: FileSource): void {
  if (names.has("tokenizer.json")) return;
  const slow = ["sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "vocab.txt", "vocab.json"];
  const found = slow.filter((name) => names.has(name)).join(", ");
  if (!found) throw new MissingFile("MODEL_INVALID", `${where} has no tokenizer.json.`);
  throw new MissingFile(
    "MODEL_UNSUPPORTED",
    `${where} has no tokenizer.json, only ${found}. Make it in Python: AutoTokenizer.from_pretrained(..., use_fast=True).save_pretrained("folder").`,
  );
}

function shardNames(index: Config, { names, where }: FileSource): string[] {
  const map = index.weight_map;
  const shards = new Set(typeof map === "object" && map !== null ? Object.values(map) : []);
  if (shards.size === 0) throw new RerankError("MODEL_INVALID", `${INDEX} in ${where} names no shards.`);
  for (const shard of shards) {
    // A plain name, because it becomes a path: never out of the model's folder.
    if (typeof shard !== "string" || !/^[\w-][\w.-]*\.safetensors$/.test(shard)) {
      const message = `${INDEX} in ${where} names a shard ${show(shard)}; a plain file name is needed.`;
      throw new RerankError("MODEL_INVALID", message);
    }
    if (!names.has(shard)) {
      throw new MissingFile("MODEL_INVALID", `${where} lacks ${shard}, which ${INDEX} names.`);
    }
  }
  return [...(shards as Set<string>)].sort();
}

async function readJson(path: string, { where }: FileSource): Promise<Config> {
  let value: unknown;
  let cause: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    cause = error;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Config;
  throw new RerankError("MODEL_INVALID", `${path} (of ${where}) does not hold a JSON object.`, { cause });
}
