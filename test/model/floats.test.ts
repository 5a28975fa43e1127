import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toFloat16, toFloat32 } from "../../src/model/floats.js";
import { failsWith } from "../support/errors.js";
import { decode, encode, type Narrow, round } from "../support/halves.js";

const bytesOf = (array: Uint16Array | Float32Array) => new Uint8Array(array.buffer);

function widen(bits: Uint16Array, type: Narrow): Float32Array {
  return new Float32Array(toFloat32(bytesOf(bits), type).slice().buffer);
}

function narrow(values: readonly number[]): Uint16Array {
  return new Uint16Array(toFloat16(bytesOf(Float32Array.from(values)), "w").slice().buffer);
}

for (const type of ["F16", "BF16"] as const) {
  test(`every ${type} becomes the float32 of the same value, zeros keep their sign`, () => {
    const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
    for (const [bits, value] of widen(all, type).entries()) {
      const expected = decode(bits, type);
      if (!Object.is(value, expected)) assert.fail(`${bits.toString(16)} became ${value}, not ${expected}`);
    }
  });
}

test("known values", () => {
  // IEEE 754-2008 binary16: 1, -2, 65504, 2^-24, 1/3 rounded; https://en.wikipedia.org/wiki/Half-precision_floating-point_format
  assert.deepEqual([...widen(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001), "F16")], [1, -2, 65504, 2 ** -24]);
  assert.deepEqual([...narrow([1, -2, 65504, 2 ** -24, 1 / 3])], [0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555]);
  assert.deepEqual([...widen(Uint16Array.of(0x3f80, 0xc000, 0x4049), "BF16")], [1, -2, 3.140625]);
});

test("F32 stays what it is", () => {
  const bytes = bytesOf(Float32Array.of(1.1, -0, Number.MAX_VALUE));
  assert.deepEqual(toFloat32(bytes, "F32"), bytes);
});

test("float16: every number that it has comes back", () => {
  const finite = Array.from({ length: 65536 }, (_, bits) => bits).filter((bits) => (bits & 0x7c00) !== 0x7c00);
  const back = narrow(finite.map((bits) => decode(bits, "F16")));
  assert.deepEqual([...back], finite);
});

test("float16: the nearest, ties to even", () => {
  const values = fc.oneof(
    fc.float({ noNaN: true, min: -65504, max: 65504 }),
    fc.float({ noNaN: true, min: Math.fround(-1e-4), max: Math.fround(1e-4) }),
    // halfway between two neighbours, and just beside
    fc.tuple(fc.integer({ min: 0, max: 0x7bfe }), fc.constantFrom(0, 1, -1)).map(([bits, nudge]) => {
      const middle = (decode(bits, "F16") + decode(bits + 1, "F16")) / 2;
      return Math.fround(middle * (1 + nudge * 2 ** -23));
    }),
  );
  fc.assert(
    fc.property(fc.array(values, { minLength: 1, maxLength: 50 }), (list) => {
      assert.deepEqual(
        [...narrow(list)],
        list.map((value) => encode(round(value, "F16"), "F16") || (Object.is(value, -0) || value < 0 ? 0x8000 : 0)),
      );
    }),
    { numRuns: 1000 },
  );
});

test("float16: what is beyond its range is refused with the tensor's name and a remedy", () => {
  assert.deepEqual([...narrow([65519, -65519])], [0x7bff, 0xfbff]);
  for (const value of [65520, -65520, 1e30]) {
    assert.throws(() => narrow([0, value]), failsWith("MODEL_UNSUPPORTED", "Tensor w", "float16", "fp32"));
  }
});
