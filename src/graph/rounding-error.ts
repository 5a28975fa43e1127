import { readFileSync } from "node:fs";
import { findDerived, storeDerived } from "../cache/derived.js";
import { sourceKey } from "../cache/file-identity.js";
import type { Warn } from "../warn.js";
import type { Checkpoint } from "./checkpoint.js";
import { INT8_FORMAT } from "./int8.js";

/** What rounding to int8 does to a checkpoint's logits: measured once, then remembered in our cache. */
export async function roundingErrorOf(
  { model, shards }: Checkpoint,
  measure: () => Promise<number>,
  warn: Warn,
): Promise<number> {
  const name = `${sourceKey(shards, "int8-error", INT8_FORMAT)}.error`;
  const known = findDerived(name);
  if (known) return Number(readFileSync(known.path, "utf8"));
  const error = await measure();
  const content = Buffer.from(String(error));
  storeDerived({ name, model }, content.length, (write) => write(content), warn);
  return error;
}
