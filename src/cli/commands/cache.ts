import { clearDerived, derivedCacheDir, derivedCacheLimit, listDerived } from "../../cache/folder.js";
import { show } from "../../errors.js";
import { loadReranker } from "../../rerankers/load.js";
import type { RerankerOptions } from "../../types.js";
import { columns, defineCommand, UsageError } from "../command.js";
import type { Io } from "../io.js";
import { deviceOptions, fileOptions, toRerankerOptions } from "../options.js";
import { Progress } from "../progress.js";
import { bytes, plural } from "../text.js";

/** What a derived file is, by the end of its name. */
const KINDS: [end: string, what: string][] = [
  [".weights", "weights packed for this CPU"],
  [".onnx", "graph for those"],
  [".int8", "weights in int8"],
  [".error", "note of what int8 does to the logits"],
  [".f16", "weights in float16"],
  [".f32", "weights in float32"],
  [".tokenizer", "compiled tokenizer"],
  [".checked", "note that a checkpoint's numbers are finite"],
  [".tmp", "unfinished"],
];

export const cacheCommand = defineCommand({
  name: "cache",
  summary: "Show, clear or fill the cache of what was derived from models: weights, compiled tokenizers.",
  positionals: [
    { name: "ACTION", required: false, help: "show (default), clear, or warm." },
    { name: "MODEL", required: false, help: "With warm: hub id, folder, or mini." },
  ],
  options: { json: { kind: "flag", help: "Print a JSON object." }, ...deviceOptions, ...fileOptions },
  details: `Everything in this cache is made again when it is needed; downloaded models lie elsewhere and stay. BGE_RERANKER_CACHE
moves it, BGE_RERANKER_CACHE_LIMIT bounds it (gigabytes, 20 by default): what was not used for longest goes first.

warm makes now what the first use of MODEL would make, downloading it where it has to: a step for the build of an image whose
programs cannot write the cache, or should start at full speed. Exit code 1 when the cache cannot be written. Packed weights are for one kind of processor; others make
their own. --device and --dtype, and those that say where the model is, only go with warm.

  bge-reranker cache warm BAAI/bge-reranker-base --dtype int8`,
  async run({ values, positionals: [action = "show", model] }, io) {
    const { json = false, ...forModel } = values;
    if (action === "warm") return warm(model, toRerankerOptions(forModel), json, io);
    if (action !== "show" && action !== "clear") throw new UsageError(`cache can show, clear or warm, not ${action}`);
    if (model !== undefined) throw new UsageError(`cache ${action} takes no model; ${show(model)} is one too many`);
    const [option] = Object.keys(forModel);
    if (option) throw new UsageError(`--${option} only goes with cache warm`);
    const entries = listDerived();
    const folder = derivedCacheDir();
    const size = sizeOf(entries);
    if (action === "clear") clearDerived(entries);
    const total = `${plural(entries.length, "file")}, ${bytes(size)}`;
    const limit = derivedCacheLimit();
    if (json) io.stdout.write(`${JSON.stringify({ folder, limit, size, action, entries })}\n`);
    else if (action === "clear") io.stdout.write(`Removed ${total} from ${folder}\n`);
    else io.stdout.write(`${folder}: ${total} of at most ${bytes(limit)}\n${table(entries)}`);
    return 0;
  },
});

/** Loads the model in this thread: without other threads everything is made at once, nothing later on the side. */
async function warm(model: string | undefined, options: RerankerOptions, json: boolean, io: Io): Promise<number> {
  if (model === undefined) throw new UsageError("cache warm needs MODEL");
  const known = new Set(listDerived().map(({ name }) => name));
  const progress = new Progress(io);
  progress.loading(model);
  const loading = loadReranker(model, { ...options, worker: false, onProgress: progress.download });
  const reranker = await loading.finally(() => progress.clear());
  const { device, dtype } = reranker.info!;
  await reranker.dispose();
  const entries = listDerived();
  const made = entries.filter(({ name }) => !known.has(name));
  const folder = derivedCacheDir();
  const total =
    made.length === 0 ? "nothing was missing" : `made ${plural(made.length, "file")}, ${bytes(sizeOf(made))}`;
  if (json) io.stdout.write(`${JSON.stringify({ folder, model, device, dtype, action: "warm", made })}\n`);
  else io.stdout.write(`${folder}: ${total} for ${model} in ${dtype} on ${device}\n${table(made)}`);
  // Nothing at all where the cache cannot be written, of which a warning has told.
  return entries.length > 0 ? 0 : 1;
}

type Entries = ReturnType<typeof listDerived>;

function sizeOf(entries: Entries): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}

function table(entries: Entries): string {
  const rows = entries.map(({ name, model, size, lastUsed }): [string, string] => {
    const what = KINDS.find(([end]) => name.endsWith(end))?.[1] ?? "unknown";
    const used = lastUsed.toISOString().slice(0, 16).replace("T", " ");
    return [model ?? name, `${what}, ${bytes(size)}, last used ${used}`];
  });
  return rows.length > 0 ? `${columns(rows, Infinity)}\n` : "";
}
