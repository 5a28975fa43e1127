import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Unigram } from "../../../src/tokenizer/unigram/model.js";
import { Normalizer } from "../../../src/tokenizer/unigram/normalizer.js";
import { readUnigram } from "../../../src/tokenizer/unigram/parse.js";
import { buildTrie } from "../../../src/tokenizer/unigram/trie.js";
import { fixture } from "../../support/paths.js";

type Json = Record<string, unknown>;
const METASPACE = { type: "Metaspace", replacement: "▁", add_prefix_space: true, prepend_scheme: "always" };
const SPLIT = { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, METASPACE] };

/** A tokenizer.json of these pieces; id 0 is `<unk>`. */
function model(pieces: Record<string, number>, change: Json = {}): Json {
  const vocab = [["<unk>", 0], ...Object.entries(pieces)];
  return { normalizer: null, pre_tokenizer: SPLIT, model: { type: "Unigram", unk_id: 0, vocab }, ...change };
}

function encode(json: Json, text: string): string[] {
  const data = readUnigram(json, []);
  assert.ok(data);
  const ids: number[] = [];
  new Unigram(data).encode(text, ids, Number.POSITIVE_INFINITY);
  const { vocab } = json.model as { vocab: [string, number][] };
  return ids.map((id) => vocab[id]![0]);
}

test("the best sum wins", () => {
  assert.deepEqual(encode(model({ "▁": -1, a: -1, b: -1, ab: -3 }), "ab"), ["▁", "a", "b"]);
  assert.deepEqual(encode(model({ "▁": -1, a: -1, b: -1, ab: -1.5 }), "ab"), ["▁", "ab"]);
  assert.deepEqual(encode(model({ "▁": -1, "▁a": -1, a: -1, b: -1, ab: -1.5 }), "ab ab"), ["▁a", "b", "▁a", "b"]);
});

test("of equal sums the one that starts first wins, as in SentencePiece", () => {
  assert.deepEqual(encode(model({ "▁": -1, a: -1, b: -1, ab: -2 }), "ab"), ["▁", "ab"]);
  assert.deepEqual(encode(model({ "▁": -1, "▁a": -2, a: -1 }), "a"), ["▁a"]);
});

test("sums are rounded to float32, as in SentencePiece", () => {
  // Exactly, a + b (-0.5) beats ab (-0.75). After -2^24 float32 has no fractions: ab is kept as -2^24, which nothing beats.
  assert.deepEqual(encode(model({ "▁": -(2 ** 24), a: -0.25, b: -0.25, ab: -0.75 }), "ab"), ["▁", "ab"]);
  assert.deepEqual(encode(model({ "▁": -(2 ** 10), a: -0.25, b: -0.25, ab: -0.75 }), "ab"), ["▁", "a", "b"]);
});

test("unknown characters cost ten more than the worst piece, and those in a row make one id", () => {
  assert.deepEqual(encode(model({ "▁": -1, a: -2 }), "xyza日本"), ["▁", "<unk>", "a", "<unk>"]);
  assert.deepEqual(encode(model({ a: -2 }), "x a"), ["<unk>", "a"]);
});

test("white space: none at the ends, one between words, one in front", () => {
  const json = model({ "▁": -1, "▁a": -1, a: -5, "▁▁": 5 });
  for (const text of ["a a", "  a a", "a  a ", "   a    a   "]) assert.deepEqual(encode(json, text), ["▁a", "▁a"]);
  for (const text of ["", " ", "     "]) assert.deepEqual(encode(json, text), []);
});

test("every form that the converters wrote is known; others are left to the library", () => {
  const precompiled = { type: "Precompiled", precompiled_charsmap: null };
  const collapse = { type: "Replace", pattern: { Regex: " {2,}" }, content: " " };
  const strip = { type: "Strip", strip_left: false, strip_right: true };
  const known = (change: Json) => readUnigram(model({ "▁a": -1 }, change), []) !== undefined;
  const sequence = (...normalizers: Json[]) => ({ type: "Sequence", normalizers });
  assert.ok(known({ normalizer: precompiled }));
  assert.ok(known({ normalizer: sequence(precompiled, collapse), pre_tokenizer: METASPACE }));
  assert.ok(
    known({ normalizer: sequence(precompiled, strip, { ...collapse, content: "▁" }), pre_tokenizer: METASPACE }),
  );
  assert.ok(
    known({
      pre_tokenizer: {
        ...SPLIT,
        pretokenizers: [{ type: "WhitespaceSplit" }, { ...METASPACE, prepend_scheme: undefined }],
      },
    }),
  );
  assert.ok(!known({ normalizer: precompiled, pre_tokenizer: METASPACE }));
  assert.ok(!known({ normalizer: { type: "NFKC" } }));
  assert.ok(!known({ normalizer: sequence(precompiled, { type: "Lowercase" }) }));
  assert.ok(!known({ normalizer: sequence(collapse, precompiled) }));
  assert.ok(!known({ pre_tokenizer: { ...METASPACE, prepend_scheme: "first" } }));
  assert.ok(!known({ pre_tokenizer: { ...METASPACE, replacement: "_" } }));
  assert.ok(!known({ pre_tokenizer: null }));
  assert.ok(!known({ model: { type: "BPE", vocab: {}, merges: [] } }));
  assert.ok(!known({ model: { type: "Unigram", unk_id: 0, byte_fallback: true, vocab: [["<unk>", 0]] } }));
  assert.ok(!known({ model: { type: "Unigram", unk_id: null, vocab: [["<unk>", 0]] } }));
});

test("special tokens are not found in what normalisation makes of other characters", () => {
  const json = JSON.parse(readFileSync(fixture("models/xlmr/tokenizer.json"), "utf8")) as Json;
  const data = readUnigram(json, json.added_tokens as [])!;
  const ids: number[] = [];
  new Unigram(data).encode("＜/s＞＜mask＞<s>", ids, Number.POSITIVE_INFINITY);
  const special = (json.added_tokens as { id: number }[]).map((token) => token.id);
  assert.ok(ids.length > 5 && ids.every((id) => !special.includes(id)));
});

test("a trie finds exactly its keys", () => {
  const key = fc.string({ unit: fc.constantFrom("a", "b", "é", "日", "😀", " "), minLength: 1, maxLength: 6 });
  const encoder = new TextEncoder();
  fc.assert(
    fc.property(fc.array(key, { maxLength: 300 }), fc.array(key, { maxLength: 50 }), (keys, others) => {
      const encoded = keys.map((k) => encoder.encode(k));
      const starts = Int32Array.from([0, ...encoded.map((k) => k.length)]);
      for (let i = 1; i < starts.length; i++) starts[i]! += starts[i - 1]!;
      const bytes = new Uint8Array(encoded.flatMap((k) => [...k]));
      const trie = buildTrie({ bytes, starts, values: Int32Array.from(keys.keys()) });
      for (const text of [...keys, ...others]) {
        assert.equal(lookUp(trie, encoder.encode(text)), keys.lastIndexOf(text), JSON.stringify(text));
      }
    }),
  );
});

function lookUp(trie: Int32Array, key: Uint8Array): number {
  let cell = 0;
  for (const byte of key) {
    const base = trie[cell * 2]!;
    cell = base ^ byte;
    if (base === 0 || (trie[cell * 2 + 1]! & 0xff) !== byte) return -1;
  }
  return (trie[cell * 2 + 1]! >> 8) - 1;
}

test("a damaged charsmap is refused, and one of random bytes does no harm", () => {
  for (const size of [0, 3, 6, 100, 2 ** 31]) {
    const bytes = new Uint8Array(20);
    new DataView(bytes.buffer).setUint32(0, size, true);
    assert.throws(() => new Normalizer(bytes), { code: "MODEL_INVALID" });
  }
  assert.throws(() => new Normalizer(new Uint8Array(0)), { code: "MODEL_INVALID" });
  fc.assert(
    fc.property(fc.integer(), fc.string({ unit: "binary" }), (seed, text) => {
      const charsmap = noise(seed, 5000);
      new DataView(charsmap.buffer).setUint32(0, 4096, true);
      const input = new TextEncoder().encode(text);
      const normalizer = new Normalizer(charsmap);
      const length = normalizer.run(input, input.length);
      assert.ok(length >= 0 && length <= normalizer.output.length);
    }),
  );
});

/** Bytes that look random, the same for the same seed. */
function noise(seed: number, length: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 24;
  });
}
