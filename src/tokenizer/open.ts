import { readFileSync, realpathSync } from "node:fs";
import { findDerived, storeDerived } from "../cache/derived.js";
import { sourceKey } from "../cache/file-identity.js";
import { type ModelFiles, readModelFile } from "../model/model-files.js";
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
  const config = files.paths["tokenizer_config.json"] ? readModelFile(files, "tokenizer_config.json") : {};
  const tokenizer = PairTokenizer.create(readModelFile(files, "tokenizer.json"), config);
  const compiled = tokenizer.compile();
  if (compiled) storeDerived({ name, model: files.model }, compiled.length, (write) => write(compiled), warn);
  return tokenizer;
}

/** The longest input that tokenizer_config.json names, where it names one. */
export function tokenizerLimit(files: ModelFiles): number | undefined {
  if (!files.paths["tokenizer_config.json"]) return undefined;
  const { model_max_length: limit } = JSON.parse(
    new TextDecoder().decode(readModelFile(files, "tokenizer_config.json")),
  ) as { model_max_length?: unknown };
  // "No limit" is written as 10^30.
  return typeof limit === "number" && Number.isSafeInteger(limit) && limit > 0 ? limit : undefined;
}
