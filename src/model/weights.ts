import { closeSync, openSync, readSync } from "node:fs";
import { RerankError, show } from "../errors.js";
import type { Architecture } from "./config.js";
import { toFloat32 } from "./floats.js";
import { readCheckpoint, type TensorRef } from "./safetensors.js";

/** Shapes of the tensors that an architecture needs, by their names in the checkpoint. */
export function expectedTensors(arch: Architecture): Map<string, number[]> {
  const { hidden, ffn } = arch;
  const shapes = new Map<string, number[]>();
  const linear = (name: string, out: number, input: number) =>
    shapes.set(`${name}.weight`, [out, input]).set(`${name}.bias`, [out]);
  const norm = (name: string) => shapes.set(`${name}.weight`, [hidden]).set(`${name}.bias`, [hidden]);
  const base = prefix(arch);
  shapes.set(`${base}.embeddings.word_embeddings.weight`, [arch.vocab, hidden]);
  shapes.set(`${base}.embeddings.position_embeddings.weight`, [arch.positions, hidden]);
  shapes.set(`${base}.embeddings.token_type_embeddings.weight`, [arch.types, hidden]);
  norm(`${base}.embeddings.LayerNorm`);
  for (let i = 0; i < arch.layers; i++) {
    const layer = `${base}.encoder.layer.${i}`;
    for (const part of ["query", "key", "value"]) linear(`${layer}.attention.self.${part}`, hidden, hidden);
    linear(`${layer}.attention.output.dense`, hidden, hidden);
    norm(`${layer}.attention.output.LayerNorm`);
    linear(`${layer}.intermediate.dense`, ffn, hidden);
    linear(`${layer}.output.dense`, hidden, ffn);
    norm(`${layer}.output.LayerNorm`);
  }
  const [dense, out] = headNames(arch);
  linear(dense, hidden, hidden);
  linear(out, 1, hidden);
  return shapes;
}

/** Prefix of the encoder's tensors. */
export function prefix(arch: Architecture): string {
  return arch.family === "bert" ? "bert" : "roberta";
}

/** The two layers of the classification head: dense with tanh, then one logit. */
export function headNames(arch: Architecture): [dense: string, out: string] {
  return arch.family === "bert" ? ["bert.pooler.dense", "classifier"] : ["classifier.dense", "classifier.out_proj"];
}

/** Tensors that checkpoints carry and no classifier reads: position and type buffers, RoBERTa's unused pooler. */
const UNUSED = /(^|\.)(position_ids|token_type_ids)$|^roberta\.pooler\./;

/**
 * Opens a checkpoint and holds it against the architecture: every tensor there, nothing left over, each of its shape.
 * @throws {RerankError} `MODEL_INVALID`, and `MODEL_UNSUPPORTED` for a head of several labels
 */
export function openWeights(files: readonly string[], arch: Architecture): Map<string, TensorRef> {
  const found = readCheckpoint(files);
  const weights = new Map<string, TensorRef>();
  const missing: string[] = [];
  const headWeight = `${headNames(arch)[1]}.weight`;
  for (const [name, shape] of expectedTensors(arch)) {
    const tensor = found.get(name);
    found.delete(name);
    if (!tensor) {
      missing.push(name);
      continue;
    }
    if (name === headWeight) checkOneLabel(tensor);
    if (tensor.shape.join() !== shape.join()) {
      throw invalid(`tensor ${name} has the shape [${tensor.shape}], config.json asks for [${shape}]`);
    }
    if (!["F32", "F16", "BF16"].includes(tensor.dtype)) {
      throw invalid(`tensor ${name} is ${tensor.dtype}; F32, F16 or BF16 is needed`);
    }
    weights.set(name, tensor);
  }
  const extra = [...found.keys()].filter((name) => !UNUSED.test(name));
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
