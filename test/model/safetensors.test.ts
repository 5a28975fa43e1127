import assert from "node:assert/strict";
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { RerankError } from "../../src/errors.js";
import { readCheckpoint, type TensorRef } from "../../src/model/safetensors.js";
import { safetensors } from "../support/checkpoint.js";
import { fixture, temporaryFolder } from "../support/paths.js";

const TWO = {
  a: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
  b: { dtype: "F16", shape: [4], data_offsets: [24, 32] },
};
const DATA = Buffer.alloc(32, 7);

function fileOf(context: TestContext, content: Uint8Array, name = "model.safetensors"): string {
  const path = join(temporaryFolder(context), name);
  writeFileSync(path, content);
  return path;
}

function refuses(context: TestContext, content: Uint8Array, ...said: string[]): void {
  const path = fileOf(context, content);
  assert.throws(
    () => readCheckpoint([path]),
    (error) => {
      assert.ok(error instanceof RerankError, String(error));
      assert.equal(error.code, "MODEL_INVALID", error.message);
      for (const text of ["model.safetensors", ...said]) {
        assert.ok(error.message.includes(text), `${error.message} should say ${text}`);
      }
      return true;
    },
  );
}

test("tensors: where they lie in the file, whatever the header's length", (t) => {
  for (const padding of ["", " ", "   ", "      "]) {
    const header = `${JSON.stringify({ __metadata__: { format: "pt" }, ...TWO })}${padding}`;
    const path = fileOf(t, safetensors(header, [DATA]));
    const start = 8 + header.length;
    assert.deepEqual(
      readCheckpoint([path]),
      new Map<string, TensorRef>([
        ["a", { file: path, dtype: "F32", shape: [2, 3], offset: start, length: 24 }],
        ["b", { file: path, dtype: "F16", shape: [4], offset: start + 24, length: 8 }],
      ]),
    );
  }
});

test("a file that PyTorch made", () => {
  const found = readCheckpoint([fixture("models/bert/model.safetensors")]);
  const content = readFileSync(fixture("models/bert/model.safetensors"));
  const last = [...found.values()].reduce((a, b) => (a.offset > b.offset ? a : b));
  assert.equal(last.offset + last.length, content.length);
  assert.deepEqual(found.get("bert.embeddings.word_embeddings.weight")?.shape, [1500, 64]);
});

test("scalars, empty tensors and types that no encoder has", (t) => {
  const header = {
    scalar: { dtype: "I64", shape: [], data_offsets: [0, 8] },
    none: { dtype: "F32", shape: [0, 5], data_offsets: [8, 8] },
    flags: { dtype: "BOOL", shape: [3], data_offsets: [8, 11] },
  };
  const found = readCheckpoint([fileOf(t, safetensors(header, [Buffer.alloc(11)]))]);
  assert.deepEqual(
    [...found.values()].map(({ length }) => length),
    [8, 0, 3],
  );
});

test("several shards, and a tensor that stands in two of them", (t) => {
  const folder = temporaryFolder(t);
  const write = (name: string, tensor: string) => {
    const path = join(folder, name);
    writeFileSync(
      path,
      safetensors({ [tensor]: { dtype: "U8", shape: [4], data_offsets: [0, 4] } }, [Buffer.alloc(4)]),
    );
    return path;
  };
  const [one, two, again] = [write("1.safetensors", "x"), write("2.safetensors", "y"), write("3.safetensors", "x")];
  const found = readCheckpoint([one, two]);
  assert.deepEqual([found.get("x")?.file, found.get("y")?.file], [one, two]);
  assert.throws(() => readCheckpoint([one, two, again]), { code: "MODEL_INVALID", message: /3\.safetensors.*"x"/s });
});

test("a truncated file, wherever it ends", (t) => {
  const whole = safetensors(TWO, [DATA]);
  for (const length of [0, 1, 7]) refuses(t, whole.subarray(0, length), `${length} bytes`);
  for (const length of [8, 9, 60]) refuses(t, whole.subarray(0, length), "header claims");
  refuses(t, whole.subarray(0, whole.length - 1), '"b"', "truncated");
  refuses(t, whole.subarray(0, whole.length - 9), "truncated");
});

test("bytes that no tensor covers", (t) => {
  refuses(t, Buffer.concat([safetensors(TWO, [DATA]), Buffer.alloc(5)]), "5 bytes");
  const hole = { a: TWO.a, b: { ...TWO.b, data_offsets: [28, 36] } };
  refuses(t, safetensors(hole, [DATA, Buffer.alloc(4)]), '"b"', "4 bytes");
  const late = { b: { ...TWO.b, data_offsets: [24, 32] } };
  refuses(t, safetensors(late, [DATA]), "24 bytes");
});

test("a header that claims to be larger than the file, or than any header", (t) => {
  const content = safetensors(TWO, [DATA]);
  for (const size of [content.length - 7, 2 ** 31, 2 ** 53]) {
    const lying = Buffer.from(content);
    lying.writeBigUInt64LE(BigInt(size));
    refuses(t, lying, "header claims");
  }
  const path = fileOf(t, content, "sparse.safetensors");
  const fd = openSync(path, "r+");
  ftruncateSync(fd, 300_000_000);
  closeSync(fd);
  const lying = Buffer.alloc(8);
  lying.writeBigUInt64LE(200_000_000n);
  writeFileSync(path, lying, { flag: "r+" });
  assert.throws(() => readCheckpoint([path]), { code: "MODEL_INVALID", message: /200000000 bytes/ });
});

test("a header that is no JSON object", (t) => {
  for (const text of ["", "{", "not json", '{"a":}', "\0\0\0\0"]) refuses(t, safetensors(text, [DATA]), "not JSON");
  for (const text of ["[]", "null", "3", '"a"']) refuses(t, safetensors(text, [DATA]), "not a JSON object");
});

test("an entry that is no tensor", (t) => {
  for (const entry of [null, 3, "a", [], {}]) refuses(t, safetensors({ a: entry }, [DATA]), '"a"', "type");
});

test("unknown types, those that objects inherit included", (t) => {
  for (const dtype of ["F33", "f32", "", null, 3, "constructor", "toString", "__proto__"]) {
    refuses(t, safetensors({ a: { ...TWO.a, dtype } }, [DATA]), '"a"', "unknown type");
  }
});

test("impossible shapes", (t) => {
  for (const shape of [[-2, -3], [2.5, 2], ["2", 3], [null], "6", undefined, [2 ** 60]]) {
    refuses(t, safetensors({ a: { ...TWO.a, shape } }, [DATA]), '"a"', "shape");
  }
});

test("offsets that do not fit the shape or the file", (t) => {
  const odd = [[0, 23], [0, 25], [24, 0], [-24, 0], [0], [0, 24, 24], "0,24", undefined, [0.5, 24.5], [0, 1e300]];
  for (const range of odd) {
    refuses(t, safetensors({ a: { ...TWO.a, data_offsets: range } }, [DATA]), '"a"', "data offsets");
  }
  const far = { a: { ...TWO.a, data_offsets: [2 ** 40, 2 ** 40 + 24] } };
  refuses(t, safetensors(far, [DATA]), '"a"', "truncated");
  const huge = { a: { dtype: "F32", shape: [2 ** 31, 2 ** 31], data_offsets: [0, 24] } };
  refuses(t, safetensors(huge, [DATA]), '"a"', "data offsets");
});

test("tensors that overlap, even when one hides inside the other", (t) => {
  const partly = { a: TWO.a, b: { ...TWO.b, data_offsets: [20, 28] } };
  refuses(t, safetensors(partly, [DATA]), '"a"', '"b"', "overlap");
  const inside = { a: TWO.a, b: { ...TWO.b, data_offsets: [8, 16] } };
  refuses(t, safetensors(inside, [DATA]), "overlap");
  const same = { a: TWO.a, c: TWO.a };
  refuses(t, safetensors(same, [DATA]), "overlap");
});

/** Runs a reading that may only succeed or throw our error, in bounded time. */
function survives(path: string): void {
  try {
    readCheckpoint([path]);
  } catch (error) {
    if (!(error instanceof RerankError)) throw error;
  }
}

test("fuzz: any bytes are read or refused", (t) => {
  const path = join(temporaryFolder(t), "model.safetensors");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      writeFileSync(path, bytes);
      survives(path);
    }),
    { numRuns: 300 },
  );
});

test("fuzz: any JSON header is read or refused", (t) => {
  const path = join(temporaryFolder(t), "model.safetensors");
  const size = fc.oneof(fc.integer({ min: -2, max: 40 }), fc.constantFrom(2 ** 31, 2 ** 53, 1e300, 0.5));
  const entry = fc.record(
    {
      dtype: fc.oneof(fc.constantFrom("F32", "F16", "BF16", "I64", "BOOL", "valueOf"), fc.jsonValue()),
      shape: fc.oneof(fc.array(size, { maxLength: 4 }), fc.jsonValue()),
      data_offsets: fc.oneof(fc.tuple(size, size), fc.jsonValue()),
    },
    { requiredKeys: [] },
  );
  const names = fc.oneof(fc.string(), fc.constantFrom("__proto__", "__metadata__", "constructor", ""));
  const header = fc.oneof(fc.dictionary(names, fc.oneof(entry, fc.jsonValue()), { maxKeys: 5 }), fc.jsonValue());
  fc.assert(
    fc.property(header, fc.integer({ min: 0, max: 64 }), (value, bytes) => {
      writeFileSync(path, safetensors(value, [Buffer.alloc(bytes)]));
      survives(path);
    }),
    { numRuns: 300 },
  );
});

test("fuzz: a mutated header is refused or still describes ranges inside the file without overlap", (t) => {
  const path = join(temporaryFolder(t), "model.safetensors");
  const whole = safetensors(TWO, [DATA]);
  const headerEnd = whole.length - DATA.length;
  const edit = fc.tuple(fc.integer({ min: 0, max: headerEnd - 1 }), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      const mutated = Buffer.from(whole);
      for (const [at, byte] of edits) mutated[at] = byte;
      writeFileSync(path, mutated);
      let found: Map<string, TensorRef>;
      try {
        found = readCheckpoint([path]);
      } catch (error) {
        if (!(error instanceof RerankError)) throw error;
        return;
      }
      const ranges = [...found.values()].map(({ offset, length }) => [offset, offset + length] as const);
      ranges.sort(([a], [b]) => a - b);
      for (const [i, [start, end]] of ranges.entries()) {
        assert.ok(start >= 8 && end <= mutated.length);
        assert.ok(start >= (ranges[i - 1]?.[1] ?? 0));
      }
    }),
    { numRuns: 500 },
  );
});
