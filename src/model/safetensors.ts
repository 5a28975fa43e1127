import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import { RerankError, show } from "../errors.js";

/** Bytes per element. Types that no encoder weight has (F64, I8, ...) are known so that files with extras still open. */
// biome-ignore format: a table
const ELEMENT_SIZE: Record<string, number> = {
  F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1,
  F8_E4M3: 1, F8_E5M2: 1,
};

/** A tensor inside a safetensors file. */
export interface TensorRef {
  file: string;
  dtype: string;
  shape: number[];
  /** bytes from the start of the file */
  offset: number;
  /** bytes */
  length: number;
}

/** The format's own limit: https://github.com/huggingface/safetensors (MAX_HEADER_SIZE). */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads the headers of one checkpoint's files (one file, or all shards) without touching the weights.
 * @throws {RerankError} `MODEL_INVALID` when a header is damaged, offsets do not fit the file or a tensor stands twice.
 */
export function readCheckpoint(files: readonly string[]): Map<string, TensorRef> {
  const tensors = new Map<string, TensorRef>();
  for (const file of files) {
    for (const [name, tensor] of readHeader(file)) {
      if (tensors.has(name)) throw invalid(file, `tensor ${show(name)} stands in more than one shard`);
      tensors.set(name, tensor);
    }
  }
  return tensors;
}

function readHeader(file: string): Map<string, TensorRef> {
  const fd = openSync(file, "r");
  try {
    const fileSize = fstatSync(fd).size;
    if (fileSize < 8) throw invalid(file, `it has ${fileSize} bytes, too few for a safetensors header`);
    const headerSize = Number(readExactly(fd, 0, 8).readBigUInt64LE());
    if (headerSize > MAX_HEADER_BYTES || 8 + headerSize > fileSize) {
      throw invalid(file, `its header claims ${headerSize} bytes, but the file has ${fileSize}`);
    }
    const text = readExactly(fd, 8, headerSize).toString("utf8");
    let header: unknown;
    try {
      header = JSON.parse(text);
    } catch (cause) {
      throw invalid(file, "its header is not JSON", cause);
    }
    if (typeof header !== "object" || header === null || Array.isArray(header)) {
      throw invalid(file, "its header is not a JSON object");
    }
    return checkTensors(file, header as Record<string, unknown>, 8 + headerSize, fileSize);
  } finally {
    closeSync(fd);
  }
}

function readExactly(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const count = readSync(fd, buffer, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return buffer;
}

function checkTensors(file: string, header: Record<string, unknown>, dataStart: number, fileSize: number) {
  const tensors = new Map<string, TensorRef>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: range } = (entry ?? {}) as Record<string, unknown>;
    const size = typeof dtype === "string" && Object.hasOwn(ELEMENT_SIZE, dtype) ? ELEMENT_SIZE[dtype] : undefined;
    if (size === undefined) throw invalid(file, `tensor ${show(name)} has the unknown type ${show(dtype)}`);
    if (!isCounts(shape)) throw invalid(file, `tensor ${show(name)} has the impossible shape ${show(shape)}`);
    const length = shape.reduce((product, n) => product * n, size);
    if (!isCounts(range) || range.length !== 2 || range[1]! - range[0]! !== length) {
      throw invalid(file, `tensor ${show(name)} of shape [${shape}] cannot have the data offsets ${show(range)}`);
    }
    if (dataStart + range[1]! > fileSize) {
      throw invalid(
        file,
        `tensor ${show(name)} ends at byte ${dataStart + range[1]!}, but the file has ${fileSize}: it is truncated`,
      );
    }
    tensors.set(name, { file, dtype: dtype as string, shape, offset: dataStart + range[0]!, length });
  }
  checkLayout(file, tensors, dataStart, fileSize);
  return tensors;
}

/** Every byte of the data belongs to exactly one tensor, as the format demands. */
function checkLayout(file: string, tensors: Map<string, TensorRef>, dataStart: number, fileSize: number): void {
  const sorted = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.length - b.length);
  let end = dataStart;
  let before: string | undefined;
  for (const [name, { offset, length }] of sorted) {
    if (offset < end) throw invalid(file, `tensors ${show(before)} and ${show(name)} overlap`);
    if (offset > end) throw invalid(file, `no tensor covers the ${offset - end} bytes before ${show(name)}`);
    end = offset + length;
    before = name;
  }
  if (end < fileSize) throw invalid(file, `no tensor covers its last ${fileSize - end} bytes`);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function invalid(file: string, what: string, cause?: unknown): RerankError {
  const remedy = "Delete the file and fetch or export it again.";
  return new RerankError("MODEL_INVALID", `${basename(file)} is not a valid safetensors file: ${what}. ${remedy}`, {
    cause,
  });
}
