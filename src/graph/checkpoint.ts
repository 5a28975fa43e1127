import { realpathSync } from "node:fs";
import { type Derived, derive, type Producer } from "../cache/derived.js";
import { sourceKey } from "../cache/file-identity.js";
import { toFloat32 } from "../model/floats.js";
import type { TensorRef } from "../model/safetensors.js";
import { checkFinite, openWeights, readTensor } from "../model/weights.js";
import type { Warn } from "../warn.js";
import type { Network } from "./architectures/architecture.js";

/** A checkpoint whose tensors are all there, of the right shape, finite, and float32: what every graph is made from. */
export interface Checkpoint {
  /** The model, as it was named. */
  model: string;
  network: Network;
  weights: Map<string, TensorRef>;
  /** The same tensors as the checkpoint has them, in F32, F16 or BF16. */
  original: Map<string, TensorRef>;
  /** The safetensors files, as real paths. */
  shards: string[];
  /** Content that has no file because no cache could be written, by the name that stands for its path. */
  memory: Map<string, Uint8Array>;
  /** Whether our cache can be written. */
  cached: boolean;
}

/**
 * Opens a checkpoint. F32 tensors stay where they lie, in the safetensors file; F16 and BF16 tensors are converted once
 * into our cache. That all weights are finite is checked once, and remembered there.
 */
export function openCheckpoint(
  { model, files, network }: { model: string; files: readonly string[]; network: Network },
  warn: Warn,
): Checkpoint {
  const shards = files.map((file) => realpathSync(file));
  const weights = openWeights(shards, network);
  const checked: Producer = (write) => {
    checkFinite(weights);
    write(Buffer.from("finite\n"));
  };
  const name = `${sourceKey(shards, "finite", 1)}.checked`;
  const cached = "path" in derive({ name, model }, 7, checked, warn);
  const memory = new Map<string, Uint8Array>();
  const checkpoint = { model, network, weights, original: new Map(weights), shards, memory, cached };
  toFloats(checkpoint, warn);
  return checkpoint;
}

/** Moves every tensor that is not float32 into a derived file; `weights` then point there. */
function toFloats({ model, weights, shards, memory }: Checkpoint, warn: Warn): void {
  const narrow = [...weights].filter(([, tensor]) => tensor.dtype !== "F32");
  if (narrow.length === 0) return;
  const size = narrow.reduce((sum, [, tensor]) => sum + tensor.length * 2, 0);
  const produce: Producer = (write) => {
    for (const [, tensor] of narrow) for (const chunk of readTensor(tensor)) write(toFloat32(chunk, tensor.dtype));
  };
  const name = `${sourceKey(shards, "float32", 1)}.f32`;
  const file = placeDerived(derive({ name, model }, size, produce, warn), "float32", memory);
  let offset = 0;
  for (const [name, { shape, length }] of narrow) {
    weights.set(name, { file, dtype: "F32", shape, offset, length: length * 2 });
    offset += length * 2;
  }
}

/** The path of derived bytes, or the name under which they are now in `memory`. */
export function placeDerived(derived: Derived, name: string, memory: Map<string, Uint8Array>): string {
  if ("path" in derived) return derived.path;
  memory.set(name, derived.data);
  return name;
}
