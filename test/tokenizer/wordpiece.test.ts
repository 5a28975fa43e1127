import assert from "node:assert/strict";
import { test } from "node:test";
import { readWordPiece, WordPiece } from "../../src/tokenizer/wordpiece.js";

const words = [
  "[UNK]",
  "un",
  "##aff",
  "##able",
  "hello",
  "世",
  "界",
  "𠀀",
  "cafe",
  "σας",
  "σασ",
  "!",
  "-",
  "a",
  "##a",
  "Hello",
  "café",
];
const json = {
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  model: { type: "WordPiece", unk_token: "[UNK]", vocab: Object.fromEntries(words.map((word, i) => [word, i])) },
};

function encode(text: string, normalizer: object = {}): string[] {
  const data = readWordPiece({ ...json, normalizer: { ...json.normalizer, ...normalizer } });
  assert.ok(data);
  const ids: number[] = [];
  new WordPiece(data).encode(text, ids, Number.POSITIVE_INFINITY);
  return ids.map((id) => words[id]!);
}

test("the longest piece first; a word with any unknown part is unknown", () => {
  assert.deepEqual(encode("unaffable"), ["un", "##aff", "##able"]);
  assert.deepEqual(encode("unaffablex hello"), ["[UNK]", "hello"]);
});

test("punctuation and Chinese characters stand alone, those beyond 16 bits too", () => {
  assert.deepEqual(encode("hello-hello!世界𠀀𠀀"), ["hello", "-", "hello", "!", "世", "界", "𠀀", "𠀀"]);
});

test("accents go, case goes, control characters go", () => {
  assert.deepEqual(encode("CAFÉ he\u0000l\u200dl\u0007o\u3000HELLO"), ["cafe", "hello", "hello"]);
  assert.deepEqual(encode("Hello café", { lowercase: false }), ["Hello", "café"]);
  assert.deepEqual(encode("Hello café", { lowercase: false, strip_accents: true }), ["Hello", "cafe"]);
});

test("letters are lower-cased one by one: no final sigma", () => {
  assert.deepEqual(encode("ΣΑΣ"), ["σασ"]);
});

test("a word of more than 100 characters is unknown", () => {
  assert.deepEqual(encode("a".repeat(100)).length, 100);
  assert.deepEqual(encode("a".repeat(101)), ["[UNK]"]);
  assert.deepEqual(encode("𝒳".repeat(101)), ["[UNK]"]);
});

test("anything that is not BERT's own is left to the library", () => {
  assert.equal(readWordPiece({ ...json, normalizer: null }), undefined);
  assert.equal(readWordPiece({ ...json, pre_tokenizer: { type: "Whitespace" } }), undefined);
  assert.equal(readWordPiece({ ...json, model: { ...json.model, type: "WordLevel" } }), undefined);
  assert.equal(readWordPiece({ ...json, model: { ...json.model, unk_token: "<unk>" } }), undefined);
});

test("a long text has the pieces of its parts, wherever it is cut", () => {
  const parts = ["unaffable ", "世界", "HELLO!", "he\u0301llo\u0301 ", "\u0301", "𠀀", "a-", "\r\n", "\u0000", "ΣΑΣ "];
  for (const part of parts) {
    for (const shift of ["", "a ", "世", "!!! "]) {
      // white space at both ends keeps the copies apart from what stands before
      const count = Math.ceil(9000 / part.length);
      const copies = (times: number) => encode(`${shift} ${` ${part} `.repeat(times)}`);
      assert.deepEqual(copies(count), [
        ...copies(0),
        ...Array(count)
          .fill(copies(1).slice(copies(0).length))
          .flat(),
      ]);
    }
  }
});

test("hostile texts take time by their length, not its square", () => {
  const marks = "\u0301\u0316\u0327\u0345".repeat(50_000);
  for (const text of [
    marks,
    `e${marks}`,
    "\u302e\u{1d165}".repeat(100_000),
    "é".repeat(300_000),
    "世".repeat(300_000),
  ]) {
    const start = process.cpuUsage();
    assert.ok(encode(text).length > 0 || text === marks);
    const { user } = process.cpuUsage(start);
    assert.ok(user < 1e6, `${user / 1000} ms`);
  }
});

test("marks go and letters stay, however many marks a letter has", () => {
  const marks = "\u0301\u0316".repeat(200);
  assert.deepEqual(encode(`c${marks}a${marks}f${marks}e${marks}`), ["cafe"]);
});
