import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fixture, temporaryFolder } from "./paths.js";

/** A tensor as it stands in a safetensors file. */
export interface RawTensor {
  dtype: string;
  shape: number[];
  bytes: Buffer;
}

export type Tensors = Map<string, RawTensor>;

/** All tensors of a safetensors file: an 8-byte header length, a JSON header, the data. */
export function readTensors(file: string): Tensors {
  const content = readFileSync(file);
  const start = 8 + Number(content.readBigUInt64LE());
  const header = JSON.parse(content.subarray(8, start).toString()) as Record<string, HeaderEntry>;
  const tensors: Tensors = new Map();
  for (const [name, { dtype, shape, data_offsets: range }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const bytes = Buffer.from(content.subarray(start + range[0], start + range[1]));
    tensors.set(name, { dtype, shape, bytes });
  }
  return tensors;
}

export interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** The header that fits these tensors, laid out one behind the other. */
export function headerOf(tensors: Tensors): Record<string, HeaderEntry> {
  let end = 0;
  return Object.fromEntries(
    [...tensors].map(([name, { dtype, shape, bytes }]) => {
      const start = end;
      end += bytes.length;
      return [name, { dtype, shape, data_offsets: [start, end] }];
    }),
  );
}

/** A safetensors file with this header, whatever it says. */
export function safetensors(header: unknown, data: readonly Uint8Array[]): Buffer {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, ...data]);
}

/** A valid safetensors file of these tensors. */
export function pack(tensors: Tensors): Buffer {
  return safetensors(
    headerOf(tensors),
    [...tensors.values()].map(({ bytes }) => bytes),
  );
}

export interface ModelEdit {
  tensors?: (tensors: Tensors) => void;
  config?: (config: Record<string, unknown>) => void;
  /** Files to write or, with `undefined`, to leave out, by name inside the folder. */
  files?: Record<string, string | Buffer | undefined>;
}

/** A copy of a fixture model with changes, in a folder that goes away when the test ends. */
export function editModel(
  context: { after: (clean: () => void) => void },
  base: "bert" | "roberta" | "xlmr",
  { tensors: editTensors, config: editConfig, files = {} }: ModelEdit,
): string {
  const folder = temporaryFolder(context);
  const source = fixture(`models/${base}`);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(join(source, name), join(folder, name));
  const config = JSON.parse(readFileSync(join(source, "config.json"), "utf8")) as Record<string, unknown>;
  editConfig?.(config);
  const tensors = readTensors(join(source, "model.safetensors"));
  editTensors?.(tensors);
  const made = { "config.json": JSON.stringify(config), "model.safetensors": pack(tensors), ...files };
  for (const [name, content] of Object.entries(made)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    if (content !== undefined) writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** The folder of `useOwnCache`, once that was called. */
export let ownCache: string | undefined;

/** Gives this process an empty folder for what we derive; call it before anything is loaded. */
export function useOwnCache(): string {
  const folder = mkdtempSync(join(tmpdir(), "bge-reranker-cache-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  process.env.BGE_RERANKER_CACHE = folder;
  ownCache = folder;
  return folder;
}
