import { closeSync, openSync, readSync } from "node:fs";
import { RerankError, show } from "../errors.js";
import { toFloat32 } from "./floats.js";
import { readCheckpoint, type TensorRef } from "./safetensors.js";

/** What a model needs of a checkpoint. */
export interface ExpectedTensors {
  /** Shapes of the tensors that it reads, by their names in the checkpoint. */
  readonly tensors: ReadonlyMap<string, readonly number[]>;
  /** Names of tensors that checkpoints carry and nothing reads. */
  readonly unused: RegExp;
  /** The tensor that has one row for each label, of which there may be one. */
  readonly labelWeight: string;
}

/**
 * Opens a checkpoint and holds it against what is expected: every tensor there, nothing left over, each of its shape.
 * @throws {RerankError} `MODEL_INVALID`, and `MODEL_UNSUPPORTED` for a head of several labels
 */
export function openWeights(files: readonly string[], expected: ExpectedTensors): Map<string, TensorRef> {
  const found = readCheckpoint(files);
  const weights = new Map<string, TensorRef>();
  const missing: string[] = [];
  for (const [name, shape] of expected.tensors) {
    const tensor = found.get(name);
    found.delete(name);
    if (!tensor) {
      missing.push(name);
      continue;
    }
    if (name === expected.labelWeight) checkOneLabel(tensor);
    if (tensor.shape.join() !== shape.join()) {
      throw invalid(`tensor ${name} has the shape [${tensor.shape}], config.json asks for [${shape}]`);
    }
    if (!["F32", "F16", "BF16"].includes(tensor.dtype)) {
      throw invalid(`tensor ${name} is ${tensor.dtype}; F32, F16 or BF16 is needed`);
    }
    weights.set(name, tensor);
  }
  const extra = [...found.keys()].filter((name) => !expected.unused.test(name));
  if (missing.length > 0) throw invalid(`${missing.length} tensors are missing, ${list(missing)}`);
  if (extra.length > 0) throw invalid(`${extra.length} tensors do not belong to this architecture, ${list(extra)}`);
  return weights;
}

/** A configuration that does not mention labels has two of them by default, which only the head's shape gives away. */
function checkOneLabel({ shape: [labels, ...rest] }: TensorRef): void {
  if (labels === 1 || rest.length !== 1) return;
  throw new RerankError(
    "MODEL_UNSUPPORTED",
    `This model has ${labels} labels; bge-reranker runs a cross-encoder with one label.`,
  );
}

function list(names: string[]): string {
  return `such as ${names.slice(0, 3).map(show).join(", ")}`;
}

function invalid(what: string): RerankError {
  return new RerankError(
    "MODEL_INVALID",
    `The checkpoint does not fit its config.json: ${what}. Export the model again as a sequence classifier with one label.`,
  );
}

const CHUNK_BYTES = 1 << 22;

/** Reads a tensor's bytes piece by piece; a piece is valid until the next one is asked for. */
export function* readTensor(tensor: Pick<TensorRef, "file" | "offset" | "length">): Generator<Uint8Array> {
  const fd = openSync(tensor.file, "r");
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, tensor.length));
  try {
    for (let done = 0; done < tensor.length; ) {
      const count = readSync(fd, buffer, 0, Math.min(buffer.length, tensor.length - done), tensor.offset + done);
      if (count === 0) throw invalid(`${tensor.file} ended while it was read`);
      yield buffer.subarray(0, count);
      done += count;
    }
  } finally {
    closeSync(fd);
  }
}

/** Reads a whole tensor as float32. */
export function readFloats(tensor: TensorRef): Float32Array {
  const bytes = new Uint8Array(tensor.length * (tensor.dtype === "F32" ? 1 : 2));
  let end = 0;
  for (const chunk of readTensor(tensor)) {
    const part = toFloat32(chunk, tensor.dtype);
    bytes.set(part, end);
    end += part.length;
  }
  return new Float32Array(bytes.buffer);
}

/**
 * Refuses weights that are not numbers.
 * @throws {RerankError} `MODEL_INVALID` naming the first tensor with NaN or infinity.
 */
export function checkFinite(weights: Map<string, TensorRef>): void {
  for (const [name, tensor] of weights) {
    const nonFinite = tensor.dtype === "F32" ? nonFinite32 : tensor.dtype === "F16" ? nonFiniteF16 : nonFiniteBF16;
    for (const chunk of readTensor(tensor)) {
      if (nonFinite(chunk)) {
        throw new RerankError(
          "MODEL_INVALID",
          `Tensor ${name} holds NaN or infinite values, so every score would be NaN. Fetch or train the model again.`,
        );
      }
    }
  }
}

/** A float is not finite when its exponent is all ones: adding one unit there carries into the sign bit. */
function nonFinite32(bytes: Uint8Array): boolean {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  let carry = 0;
  for (let i = 0; i < words.length; i++) carry |= (words[i]! & 0x7fffffff) + 0x00800000;
  return carry < 0;
}

function nonFiniteF16(bytes: Uint8Array): boolean {
  return carries16(bytes, 0x0400);
}

function nonFiniteBF16(bytes: Uint8Array): boolean {
  return carries16(bytes, 0x0080);
}

function carries16(bytes: Uint8Array, unit: number): boolean {
  const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
  let carry = 0;
  for (let i = 0; i < words.length; i++) carry |= (words[i]! & 0x7fff) + unit;
  return (carry & 0x8000) !== 0;
}
