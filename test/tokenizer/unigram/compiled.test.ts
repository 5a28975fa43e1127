import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { PairTokenizer } from "../../../src/tokenizer/tokenizer.js";
import { fixture } from "../../support/paths.js";

const create = (name: string) => PairTokenizer.create(readFileSync(fixture(`models/${name}/tokenizer.json`)));
const original = create("xlmr");
const compiled = original.compile()!;

test("a compiled tokenizer gives the same ids and layout", () => {
  const opened = PairTokenizer.fromCompiled(compiled);
  for (const line of JSON.parse(readFileSync(fixture("lines.json"), "utf8")) as string[]) {
    assert.deepEqual(opened.encode(line), original.encode(line));
  }
  assert.deepEqual([...opened.encode("</s> x")], [...original.encode("</s> x")]);
  assert.deepEqual(opened.pair([5], [6], 10), original.pair([5], [6], 10));
  assert.equal(opened.padId, original.padId);
  assert.deepEqual(opened.compile(), compiled);
});

test("it can lie anywhere in a buffer, shared ones included", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(compiled.length));
  shared.set(compiled);
  const shifted = Buffer.alloc(compiled.length + 3).subarray(3);
  shifted.set(compiled);
  for (const bytes of [shared, shifted, Buffer.from(compiled)]) {
    assert.deepEqual(PairTokenizer.fromCompiled(bytes).encode("hello world"), original.encode("hello world"));
  }
});

test("any damage is noticed", () => {
  const refused = (bytes: Uint8Array) =>
    assert.throws(() => PairTokenizer.fromCompiled(bytes), { code: "MODEL_INVALID" });
  fc.assert(
    fc.property(fc.nat({ max: compiled.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = compiled.slice();
      bytes[at]! ^= change;
      refused(bytes);
    }),
    { numRuns: 300 },
  );
  for (let at = 0; at < 32; at++) {
    const bytes = compiled.slice();
    bytes[at]! ^= 1;
    refused(bytes);
  }
  for (const length of [0, 7, 8, 31, 32, 100, compiled.length - 1]) refused(compiled.slice(0, length));
  refused(new Uint8Array([...compiled, 0]));
  const newer = compiled.slice();
  newer[8]!++;
  assert.throws(() => PairTokenizer.fromCompiled(newer), { code: "MODEL_INVALID", message: /version/ });
});

test("kinds without a compiled form say so", () => {
  assert.equal(create("bert").compile(), undefined);
  assert.equal(create("roberta").compile(), undefined);
});
