import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { PairTokenizer } from "../../src/tokenizer/tokenizer.js";
import { fixture, repoRoot } from "../support/paths.js";

type Text = string | { repeat: [text: string, count: number] };
interface PairRow {
  query: Text;
  passage: Text;
  maxLength: number;
}
interface LogitRow {
  tokens: number;
  crc32: number;
}

const read = <T>(name: string): T => JSON.parse(readFileSync(fixture(name), "utf8"));
const expand = (text: Text) => (typeof text === "string" ? text : text.repeat[0].repeat(text.repeat[1]));

function load(folder: string): PairTokenizer {
  const file = (name: string) => readFileSync(join(folder, name));
  return PairTokenizer.create(file("tokenizer.json"), file("tokenizer_config.json"));
}

/** After a change of models/mini: `/usr/bin/python3 test/fixtures/make/make.py mini` */
const folders = {
  xlmr: fixture("models/xlmr"),
  bert: fixture("models/bert"),
  mini: join(repoRoot, "models", "mini"),
};
const lines = read<string[]>("lines.json");
const xlmr = load(folders.xlmr);
const bert = load(folders.bert);
const roberta = load(fixture("models/roberta"));

/** Any string at all: every UTF-16 unit, lone surrogates among them, and what tokenizers treat specially. */
const anyText = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(
        " ",
        "  ",
        "\u2581",
        "\u3000",
        "</s>",
        "<mask>",
        "[SEP]",
        "<",
        "\0",
        "\u0301",
        "\u{20000}",
        "word",
      ),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));

for (const model of ["xlmr", "mini"] as const) {
  test(`${model}: the ids of ${lines.length} lines are SentencePiece's own`, () => {
    const tokenizer = load(folders[model]);
    const expected = read<number[][]>(`ids/${model}.json`);
    assert.ok(lines.length >= 2000 && expected.length === lines.length);
    for (const [i, line] of lines.entries()) {
      assert.deepEqual([...tokenizer.encode(line)], expected[i], `line ${i}: ${JSON.stringify(line)}`);
    }
  });
}

test("special tokens that a text spells out are taken for the tokens", () => {
  for (const { text, ids } of read<{ text: string; ids: number[] }[]>("ids/xlmr-lookalikes.json")) {
    assert.deepEqual([...xlmr.encode(text)], ids, JSON.stringify(text));
  }
});

for (const model of ["xlmr", "bert", "mini"] as const) {
  test(`${model}: pairs are laid out and cut as FlagReranker does`, () => {
    const tokenizer = load(folders[model]);
    const expected = read<LogitRow[]>(`logits/${model}.json`);
    for (const [i, row] of read<PairRow[]>("pairs.json").entries()) {
      const [query, passage] = [tokenizer.encode(expand(row.query)), tokenizer.encode(expand(row.passage))];
      const { ids } = tokenizer.pair(query, passage, row.maxLength);
      const found = { tokens: ids.length, crc32: crc32(new Uint8Array(ids.buffer)) };
      const { tokens, crc32: crc } = expected[i]!;
      assert.deepEqual(found, { tokens, crc32: crc }, `pair ${i}: ${JSON.stringify(row).slice(0, 200)}`);
    }
  });
}

test("the layout of each family, with its token types and padding", () => {
  const layout = (tokenizer: PairTokenizer) => tokenizer.pair([100, 101], [102], 512);
  assert.deepEqual(layout(xlmr), { ids: Int32Array.of(0, 100, 101, 2, 2, 102, 2), firstSegment: 7 });
  assert.deepEqual(layout(roberta), { ids: Int32Array.of(0, 100, 101, 2, 2, 102, 2), firstSegment: 7 });
  assert.deepEqual(layout(bert), { ids: Int32Array.of(2, 100, 101, 3, 102, 3), firstSegment: 4 });
  assert.deepEqual(
    [xlmr, roberta, bert].map((t) => [t.padId, t.specialTokensPerPair]),
    [
      [1, 4],
      [1, 4],
      [0, 3],
    ],
  );
});

test("plain English: the same ids as Hugging Face's own library gives", () => {
  // in runs of one character several segmentations are equally good; the library then takes another than SentencePiece
  const english = lines.filter((line) => /^[ -~]+$/.test(line) && !/(.)\1\1/.test(line));
  assert.ok(english.length > 100);
  for (const name of ["xlmr", "bert", "roberta"]) {
    const json = read<object>(`models/${name}/tokenizer.json`);
    const library = new Tokenizer(json, {});
    const tokenizer = PairTokenizer.create(json);
    for (const line of english) {
      assert.deepEqual([...tokenizer.encode(line)], library.encode(line, { add_special_tokens: false }).ids, line);
    }
  }
});

test("whatever the text: ids in range, the same every time, and a limit only cuts them", () => {
  for (const [tokenizer, size] of [
    [xlmr, 2602],
    [bert, 1500],
    [roberta, 761],
  ] as const) {
    fc.assert(
      fc.property(anyText, fc.nat({ max: 40 }), (text, limit) => {
        const ids = tokenizer.encode(text);
        assert.ok(ids.every((id) => id >= 0 && id < size));
        assert.deepEqual(tokenizer.encode(text), ids);
        assert.deepEqual(tokenizer.encode(text, limit), ids.slice(0, limit));
      }),
      { numRuns: 400 },
    );
  }
});

test("a limit cuts a long text exactly, too", () => {
  const text = lines.join(" ");
  const ids = xlmr.encode(text);
  assert.ok(ids.length > 50_000);
  for (const limit of [0, 1, 511, 512, 5000, 49_999]) assert.deepEqual(xlmr.encode(text, limit), ids.slice(0, limit));
});

test("lone surrogates count as U+FFFD", () => {
  for (const tokenizer of [xlmr, bert, roberta]) {
    assert.deepEqual(tokenizer.encode("a\ud83d b\ude00c"), tokenizer.encode("a\ufffd b\ufffdc"));
    assert.deepEqual(tokenizer.encode("\ude00\ud83d"), tokenizer.encode("\ufffd\ufffd"));
  }
});

test("a pair never exceeds maxLength, keeps its special tokens, and cuts the passage before the query", () => {
  const ids = fc.array(fc.integer({ min: 10, max: 99 }), { maxLength: 80 });
  fc.assert(
    fc.property(ids, ids, fc.integer({ min: 4, max: 120 }), (query, passage, maxLength) => {
      const pair = xlmr.pair(query, passage, maxLength);
      const q = query.slice(0, Math.min(Math.floor(maxLength * 0.75), maxLength - 4));
      const p = passage.slice(0, maxLength - 4 - q.length);
      assert.deepEqual([...pair.ids], [0, ...q, 2, 2, ...p, 2]);
      assert.ok(pair.ids.length <= maxLength);
    }),
  );
});

test("the query is cut to another length where one is given, also beyond three quarters", () => {
  const [query, passage] = [Array.from({ length: 20 }, (_, i) => 10 + i), [50, 51, 52, 53, 54]];
  const texts = (queryMaxLength?: number) => {
    const { ids } = xlmr.pair(query, passage, 16, queryMaxLength);
    return [ids.filter((id) => id >= 10 && id < 50).length, ids.filter((id) => id >= 50).length];
  };
  assert.deepEqual(texts(), [12, 0]);
  assert.deepEqual(texts(8), [8, 4]);
  assert.deepEqual(texts(3), [3, 5]);
  assert.deepEqual(texts(100), [12, 0]);
});

test("a maxLength without room for the special tokens is refused", () => {
  assert.deepEqual([...xlmr.pair([5], [6], 4).ids], [0, 2, 2, 2]);
  for (const bad of [3, 0, -1, 7.5, Number.NaN]) {
    assert.throws(() => xlmr.pair([5], [6], bad), { code: "OPTION_INVALID", message: /at least 4.*got/ });
  }
});

test("only a template with one query and one passage is accepted", () => {
  const json = read<Record<string, unknown>>("models/bert/tokenizer.json");
  const template = json.post_processor as { pair: object[] };
  const create = (post_processor: unknown) => PairTokenizer.create({ ...json, post_processor });
  const [cls, a, sep, b, end] = template.pair;
  for (const pair of [
    undefined,
    [],
    [cls, a, sep],
    [cls, b, sep, a, end],
    [cls, a, sep, b, b],
    [cls, b, sep, b, end],
  ]) {
    assert.throws(() => create({ ...template, pair }), { code: "MODEL_UNSUPPORTED" }, JSON.stringify(pair));
  }
  const type = (type_id: number) => [cls, a, sep, { Sequence: { id: "B", type_id } }, end];
  assert.throws(() => create({ ...template, pair: type(2) }), { code: "MODEL_UNSUPPORTED" });
  assert.throws(() => create({ ...template, special_tokens: {} }), { code: "MODEL_UNSUPPORTED" });
  for (const other of [
    null,
    undefined,
    { type: "ByteLevel" },
    { type: "Sequence", processors: [template, template] },
    7,
  ]) {
    assert.throws(() => create(other), { code: "MODEL_UNSUPPORTED" });
  }
  const byteLevel = { type: "ByteLevel", trim_offsets: true };
  assert.equal(create({ type: "Sequence", processors: [byteLevel, template] }).pair([9], [9], 9).firstSegment, 3);
  const processing = { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2] };
  assert.deepEqual(create(processing).pair([9], [8], 9), { ids: Int32Array.of(2, 9, 3, 8, 3), firstSegment: 3 });
});

test("broken files are named", () => {
  assert.throws(() => PairTokenizer.create(Buffer.from("{")), { code: "MODEL_INVALID", message: /tokenizer\.json/ });
  assert.throws(() => PairTokenizer.create(Buffer.from("[]")), { code: "MODEL_INVALID", message: /tokenizer\.json/ });
  assert.throws(() => PairTokenizer.create(Buffer.of(0xff)), { code: "MODEL_INVALID", message: /tokenizer\.json/ });
  const json = read<Record<string, unknown>>("models/xlmr/tokenizer.json");
  assert.throws(() => PairTokenizer.create(json, Buffer.from("nope")), { message: /tokenizer_config\.json/ });
  const model = json.model as { vocab: unknown[] };
  for (const bad of [
    { vocab: undefined },
    { vocab: [["<unk>"]] },
    { unk_id: model.vocab.length },
    { vocab: [["a", null]] },
  ]) {
    assert.throws(() => PairTokenizer.create({ ...json, model: { ...model, ...bad } }), { code: "MODEL_INVALID" });
  }
  assert.throws(() => PairTokenizer.create({ ...json, added_tokens: [{ id: -1, content: "x" }] }), {
    code: "MODEL_INVALID",
  });
});

test("a token id that an int32 cannot hold is an error, and never another token", () => {
  const json = (model: string) => JSON.parse(readFileSync(join(fixture(`models/${model}`), "tokenizer.json"), "utf8"));
  const invalid = { code: "MODEL_INVALID", message: /2\^31|4294967300/ };
  for (const id of [2 ** 31, 2 ** 32 + 4]) {
    const added = json("bert");
    added.added_tokens.push({ id, content: "<new>", special: true });
    assert.throws(() => PairTokenizer.create(added), invalid);
    const wordPiece = json("bert");
    wordPiece.model.vocab.server = id;
    assert.throws(() => PairTokenizer.create(wordPiece).encode("server"), invalid);
  }
});

test("the general library's tokens are the same, whether all of a text is read or what is used", () => {
  const text = lines.join(" ").slice(0, 30_000);
  const all = roberta.encode(text);
  for (const limit of [1, 64, 512, 2000]) assert.deepEqual(roberta.encode(text, limit), all.slice(0, limit));
  const start = process.cpuUsage();
  for (const unit of ["服务器", "word ", "\u0301"]) roberta.encode(unit.repeat(1_000_000), 512);
  assert.ok(process.cpuUsage(start).user < 2e6);
});
