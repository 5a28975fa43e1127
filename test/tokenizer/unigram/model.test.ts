import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Unigram, type UnigramData } from "../../../src/tokenizer/unigram/model.js";
import { charLength, Normalizer } from "../../../src/tokenizer/unigram/normalizer.js";
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

/** The best way through a whole text at once, the plain way. */
function inOneGo({ trie, scores, unkId, unkScore, charsmap }: UnigramData, text: string): number[] {
  const normalizer = new Normalizer(charsmap);
  const input = new TextEncoder().encode(text);
  normalizer.start();
  normalizer.push(input, input.length, true);
  const bytes = normalizer.output.subarray(0, normalizer.length);
  const best: ({ score: number; from: number; id: number } | undefined)[] = [{ score: 0, from: -1, id: -1 }];
  const offer = (to: number, from: number, id: number, exact: number) => {
    if (!best[to] || exact > best[to].score) best[to] = { score: Math.fround(exact), from, id };
  };
  for (let at = 0; at < bytes.length; ) {
    const next = at + charLength(bytes[at]!);
    const { score } = best[at]!;
    let known = false;
    for (let end = at + 1; end <= Math.min(bytes.length, at + 200); end++) {
      const id = lookUp(trie, bytes.subarray(at, end));
      if (id < 0) continue;
      offer(end, at, id, scores[id]! + score);
      if (end === next) known = true;
    }
    if (!known) offer(next, at, unkId, Math.fround(unkScore + score));
    at = next;
  }
  const ids: number[] = [];
  for (let at = bytes.length; at > 0; at = best[at]!.from) ids.unshift(best[at]!.id);
  return ids.filter((id, i) => id !== unkId || ids[i - 1] !== unkId);
}

const XLMR = JSON.parse(readFileSync(fixture("models/xlmr/tokenizer.json"), "utf8")) as Json;

test("a long text has the pieces that it would have in one go, however its slices fall", () => {
  const data = readUnigram(XLMR, XLMR.added_tokens as [])!;
  const fragment = fc.oneof(
    fc.constantFrom(
      "the server could not start",
      "服务器无法启动，请检查配置文件。",
      "е\u0308",
      "é",
      "\u2581",
      " ",
      "   ",
      "\u{20000}",
    ),
    fc.constantFrom("ﷺ", "\ud800", "が", "ｶﾞ", "x".repeat(40), "\u2581".repeat(300), " ".repeat(5000), "aab"),
    fc.string({ unit: "grapheme", maxLength: 30 }),
  );
  const text = fc.array(fragment, { minLength: 40, maxLength: 120 }).map((parts) => parts.join("").slice(0, 14_000));
  fc.assert(
    fc.property(text, (text) => {
      const ids: number[] = [];
      new Unigram(data).encode(text, ids, Number.POSITIVE_INFINITY);
      assert.deepEqual(ids, inOneGo(data, text));
      const some: number[] = [];
      new Unigram(data).encode(text, some, 100);
      assert.ok(some.length >= Math.min(100, ids.length));
      assert.deepEqual(some, ids.slice(0, some.length));
    }),
    { numRuns: 15 },
  );
});

test("a text costs what is used of it", () => {
  const unigram = new Unigram(readUnigram(XLMR, XLMR.added_tokens as [])!);
  for (const unit of ["服务器", "a", "word ", "\u0301\u0316", "\u{20000}"]) {
    const text = unit.repeat(Math.floor(3_000_000 / unit.length));
    text.charCodeAt(0); // makes one piece of it
    const start = process.cpuUsage();
    const ids: number[] = [];
    unigram.encode(text, ids, 512);
    const { user } = process.cpuUsage(start);
    assert.ok(user < 1e6, `${user / 1000} ms for ${JSON.stringify(unit)}`);
  }
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
  const data = readUnigram(XLMR, XLMR.added_tokens as [])!;
  const ids: number[] = [];
  new Unigram(data).encode("＜/s＞＜mask＞<s>", ids, Number.POSITIVE_INFINITY);
  const special = (XLMR.added_tokens as { id: number }[]).map((token) => token.id);
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
      normalizer.start();
      const done = normalizer.push(input, input.length, true);
      assert.ok(done === input.length && normalizer.length >= 0 && normalizer.length <= normalizer.output.length);
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
