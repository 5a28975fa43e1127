import { readFileSync, realpathSync } from "node:fs";
import { findDerived, sourceKey, storeDerived } from "../cache/derived.js";
import { RerankError, show } from "../errors.js";
import type { ModelFiles } from "../model/resolve.js";
import type { Warn } from "../warn.js";
import { PairTokenizer } from "./tokenizer.js";

/** The tokenizer in its compiled form from our cache, which opens in milliseconds; compiled on first use. */
export function openTokenizer(files: ModelFiles, warn: Warn): PairTokenizer {
  const sources = ["tokenizer.json", "tokenizer_config.json"].flatMap((name) => files.paths[name] ?? []);
  const key = sourceKey(
    sources.map((path) => realpathSync(path)),
    "tokenizer",
  );
  const name = `${key}.tokenizer`;
  const cached = findDerived(name);
  try {
    if (cached) return PairTokenizer.fromCompiled(readFileSync(cached.path));
  } catch {
    // Written by another version of this package: made again below.
  }
  const config = files.paths["tokenizer_config.json"] ? read(files, "tokenizer_config.json") : {};
  const tokenizer = PairTokenizer.create(read(files, "tokenizer.json"), config);
  const compiled = tokenizer.compile();
  if (compiled) storeDerived(name, compiled.length, (write) => write(compiled), warn);
  return tokenizer;
}

/** A model file's content, parsed. */
export function readJson(files: ModelFiles, name: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(read(files, name)).toString("utf8")) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof RerankError) throw cause;
    throw new RerankError("MODEL_INVALID", `${name} of model ${show(files.model)} is not JSON.`, { cause });
  }
}

function read(files: ModelFiles, name: string): Uint8Array {
  const path = files.paths[name];
  if (!path) throw new RerankError("MODEL_INVALID", `Model ${show(files.model)} has no ${name}.`);
  return readFileSync(path);
}
