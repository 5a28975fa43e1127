import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { EvaluationData } from "../../../src/evaluate/data/data.js";
import { openData } from "../../../src/evaluate/data/open.js";
import { failsWith } from "../../support/errors.js";
import { BEIR, folderWith } from "../support/folder.js";

/** Everything that an evaluation would see. */
async function contents(data: EvaluationData) {
  const queries = await Promise.all(
    data.queries.map(async (query) => ({
      id: query.id,
      text: query.text,
      judgments: Object.fromEntries(query.judgments),
      ids: query.candidates.ids,
      texts: await data.texts(query),
    })),
  );
  await data.close();
  return { protocol: data.protocol, firstStage: data.firstStage, queries };
}

const CAT = "Cats A cat sleeps most of the day.";

describe("folders", () => {
  it("BEIR's: judged queries, passages that BM25 finds, titles first", async (t) => {
    const { protocol, firstStage, queries } = await contents(await openData(folderWith(t, BEIR)));
    assert.deepEqual([protocol, firstStage], ["trec", "BM25"]);
    assert.deepEqual(queries, [
      { id: "1", text: "which animal sleeps?", judgments: { cat: 2, dog: 0 }, ids: ["cat"], texts: [CAT] },
      { id: "2", text: "猫睡觉", judgments: { 貓: 1 }, ids: ["貓"], texts: ["猫喜欢睡觉。"] },
      { id: "3", text: "unheard", judgments: { fish: 1 }, ids: [], texts: [] },
    ]);
  });

  it("FlagEmbedding's give the same", async (t) => {
    const beir = await contents(await openData(folderWith(t, BEIR)));
    const rename = ({ _id, ...rest }: { _id: string }) => ({ id: _id, ...rest });
    const folder = folderWith(t, {
      "corpus.jsonl": BEIR["corpus.jsonl"].map(rename),
      "dev_queries.jsonl": BEIR["queries.jsonl"].map(rename),
      "dev_qrels.jsonl": [
        { qid: "1", docid: "cat", relevance: 2 },
        { qid: "1", docid: "dog", relevance: 0 },
        { qid: "2", docid: "貓", relevance: 1 },
        { qid: "3", docid: "fish", relevance: 1 },
      ],
    });
    assert.deepEqual(await contents(await openData(folder)), beir);
  });

  it("a run in place of BM25: by scores, not ranks, and the best of them", async (t) => {
    const run = "1 Q0 fish 1 0.5 dense\n1 Q0 dog 2 2.5 dense\r\n1 Q0 cat 3 1.5 dense\n9 Q0 cat 1 1 dense\n";
    const folder = folderWith(t, { ...BEIR, "run.trec": run });
    const data = await contents(await openData(folder, { run: join(folder, "run.trec"), depth: 2 }));
    assert.equal(data.firstStage, "dense");
    assert.deepEqual(
      data.queries.map(({ ids }) => ids),
      [["dog", "cat"], [], []],
    );
    assert.deepEqual(data.queries[0]!.texts, ["A dog barks at night.", CAT]);
  });

  it("judgments of another file, in TREC's format", async (t) => {
    const folder = folderWith(t, { ...BEIR, "qrels.trec": "4 0 dog 1\n" });
    const { queries } = await openData(folder, { qrels: join(folder, "qrels.trec") });
    assert.deepEqual(
      queries.map(({ id }) => id),
      ["4"],
    );
  });

  it("say what is wrong, and where", async (t) => {
    const cases: [Record<string, string>, string | RegExp][] = [
      [{ "corpus.jsonl": '{"_id": "a", "text": "b"}\n{"_id": "c"' }, "corpus.jsonl, line 2: not JSON"],
      [{ "corpus.jsonl": '{"_id": "a"}' }, 'corpus.jsonl, line 1: expected a string in "text", got undefined'],
      [{ "corpus.jsonl": "[1]" }, "corpus.jsonl, line 1: expected a JSON object"],
      [{ "queries.jsonl": '{"text": "b"}' }, 'queries.jsonl, line 1: expected an id in "_id" or "id"'],
      [{ "queries.jsonl": '{"_id": "1", "text": "b"}' }, 'no query "2", which is judged'],
      [{ "qrels/test.tsv": "1\tcat\tgood\n2\tcat\tgood\n" }, 'line 2: the grade must be an integer, got "good"'],
      [{ "qrels/test.tsv": "1\tcat\t1\n\n1\tcat\t1\n" }, 'line 3: passage "cat" is judged twice for query "1"'],
      [{ "qrels/test.tsv": "1 cat\n" }, "line 1: expected"],
      [{ "qrels/test.tsv": "\n" }, "holds no judgments"],
      [{ "run.trec": "1 Q0 cat 1\n" }, "run.trec, line 1: expected"],
      [{ "run.trec": "1 Q0 cat 1 high x\n" }, 'the score must be a finite number, got "high"'],
      [{ "run.trec": "1 Q0 cow 1 1 x\n" }, 'has no passage "cow"'],
      [{ "run.trec": "8 Q0 cat 1 1 x\n" }, "no results for any judged query"],
    ];
    for (const [files, said] of cases) {
      const folder = folderWith(t, { ...BEIR, ...files });
      const run = files["run.trec"] === undefined ? undefined : join(folder, "run.trec");
      await assert.rejects(openData(folder, { run }), failsWith("INPUT_INVALID", said));
    }
    const { "qrels/test.tsv": qrels, ...rest } = BEIR;
    const splits = folderWith(t, { ...rest, "qrels/dev.tsv": qrels, "qrels/train.tsv": qrels });
    await assert.rejects(openData(splits), failsWith("INPUT_INVALID", "no test.tsv", "dev, train"));
    assert.equal((await openData(splits, { split: "dev" })).queries.length, 3);
    await assert.rejects(openData(folderWith(t, {})), failsWith("INPUT_INVALID", "no corpus.jsonl"));
    await assert.rejects(openData(join(splits, "nowhere")), failsWith("INPUT_INVALID", "no file or folder"));
  });
});

describe("lists with passages", () => {
  const list = (t: { after: (clean: () => void) => void }, content: string | object[]) =>
    openData(join(folderWith(t, { "list.jsonl": content }), "list.jsonl"));

  it("C-MTEB's: positives first; samples with an empty list are dropped", async (t) => {
    const rows = [
      { query: "a", positive: ["p"], negative: [] },
      { query: "b", positive: ["yes", "also"], negative: ["no"] },
    ];
    const { protocol, firstStage, queries } = await contents(await list(t, rows));
    assert.deepEqual([protocol, firstStage], ["c-mteb", undefined]);
    assert.deepEqual(queries, [
      { id: "2", text: "b", judgments: { 0: 1, 1: 1, 2: 0 }, ids: ["0", "1", "2"], texts: ["yes", "also", "no"] },
    ]);
  });

  it("an application's own: relevant passages by number or text, lines or one array", async (t) => {
    const rows = [
      { query: "a", passages: ["x", "y", "z"], relevant: [1] },
      { query: "b", passages: ["x", "x"], relevant: ["x"], scores: [0.5, 0.7] },
    ];
    const lines = await contents(await list(t, rows));
    assert.deepEqual([lines.protocol, lines.firstStage], ["trec", "given order"]);
    assert.deepEqual(
      lines.queries.map(({ judgments }) => judgments),
      [
        { 0: 0, 1: 1, 2: 0 },
        { 0: 1, 1: 1 },
      ],
    );
    assert.deepEqual(await contents(await list(t, JSON.stringify(rows, undefined, 2))), lines);
    const { queries } = await list(t, rows);
    assert.deepEqual(
      queries.map(({ candidates }) => candidates.scores),
      [
        [-0, -1, -2],
        [0.5, 0.7],
      ],
    );
  });

  it("say what is wrong, and where", async (t) => {
    const good = { query: "q", passages: ["x"], relevant: [0] };
    const cases: [string | object[], string][] = [
      [[good, { query: 1 }], 'line 2: expected a string in "query", got 1'],
      [[{ query: "q", positive: ["x"] }], 'line 1: expected a list of strings in "negative"'],
      [[{ ...good, relevant: [1] }], '"relevant" must name passages by number (0 to 0) or by text, got 1'],
      [[{ ...good, relevant: ["y"] }], 'got "y"'],
      [[{ ...good, scores: [] }], '"scores" must be 1 finite numbers'],
      [[good, { query: "q", positive: ["x"], negative: ["y"] }], "line 2: this file mixes two kinds of lists"],
      ["[1]", "item 1: expected an object, got 1"],
      ["[", "is not JSON"],
      ["", "holds no queries"],
      [Buffer.from('{"query": "\xff"}', "latin1").toString("latin1"), "expected a list"],
    ];
    for (const [content, said] of cases) await assert.rejects(list(t, content), failsWith("INPUT_INVALID", said));
    const file = join(folderWith(t, { "list.jsonl": [good] }), "list.jsonl");
    await assert.rejects(openData(file, { run: "r" }), failsWith("OPTION_INVALID", "run goes with a folder"));
  });
});
