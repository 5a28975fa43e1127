import assert from "node:assert/strict";
import { it } from "node:test";
import { cMteb, evaluate, findings, gate, markdownReport } from "../../../src/evaluate/index.js";
import { failsWith } from "../../support/errors.js";
import { noisy, noisyData, settingOf } from "../support/fake.js";
import { folderWith } from "../support/folder.js";

const evaluated = (scoreOf = noisy) =>
  evaluate({ ...noisyData(60), name: "my|*data*" }, [settingOf("model_a", scoreOf)], { resamples: 200 });

it("says in sentences what was found", async () => {
  const sentences = findings(await evaluated()).join("\n");
  assert.match(
    sentences,
    /^model_a: It helps\. ndcg@10 \+0\.\d{3} against BM25 \(\+0\.\d+ to \+0\.\d+; p < 0\.001\), better on \d+/,
  );
  assert.match(sentences, /blend with BM25, retrievalWeight 0\.\d+ \(ndcg@10/);
  assert.match(sentences, /use scoreThreshold 0\.\d+ for a precision of 80 %; it keeps \d+ passages/);
  assert.match(sentences, /scores are 0\.\d+ off .* calibrated 0\.0/);
  assert.match(findings(await evaluated((_, passage) => -Number(passage)))[0]!, /It hurts\. ndcg@10 −0/);
});

it("writes Markdown that data cannot break", async () => {
  const text = markdownReport(await evaluated());
  assert.match(text, /^### Reranking on my\|\\\*data\\\*\n/);
  const rows = text.split("\n").filter((line) => line.startsWith("|"));
  assert.match(rows[1]!, /^\| --- \| --- \| ---: /);
  assert.equal(new Set(rows.map((row) => row.split("|").length)).size, 1);
  assert.match(rows[3]!, /^\| b \| model\\_a \| 0\.\d{3}ᵃ \| /);
});

it("guards a baseline", async () => {
  const good = await evaluated();
  const bad = await evaluated((_, passage) => -Number(passage));
  assert.deepEqual(gate(good, {}), { changes: [], failures: [] });
  assert.equal(gate(good, { failUnder: 0.99 }).failures.length, 1);
  assert.deepEqual(gate(good, { baseline: bad, failDrop: 0 }).failures, []);
  const { changes, failures } = gate(bad, { baseline: good, failDrop: 0.1 });
  assert.match(failures.join(), /^model_a: ndcg@10 fell from 0\.\d{3} to 0\.\d{3}, by more than 0\.1$/);
  assert.deepEqual(
    changes.map(({ setting }) => setting),
    ["BM25", "model_a", "model_a + BM25, cross-validated"],
  );
  const renamed = { ...good, settings: good.settings.map((setting) => ({ ...setting, name: `${setting.name}2` })) };
  assert.match(gate(good, { baseline: renamed, failDrop: 0.1 }).failures.join(), /none of these/);
  const refused = (baseline: object, words: string) =>
    assert.throws(() => gate(good, { baseline: baseline as typeof good }), failsWith("INPUT_INVALID", words));
  refused({}, "is not what bge-reranker eval --json writes");
  refused({ ...good, measures: ["map"] }, "has no ndcg@10, only map");
  refused({ ...good, data: { ...good.data, queries: 9 } }, "has 9 queries");
});

it("prints BAAI's table for the tasks that are there, beside the published figures", async (t) => {
  const samples = [
    { query: "q", positive: ["3"], negative: ["1", "2"] },
    { query: "q", positive: ["1"], negative: ["2"] },
    { query: "dropped", positive: ["1"], negative: [] },
  ];
  const folder = folderWith(t, { "T2Reranking.jsonl": samples, "CMedQAv1-reranking/test.jsonl": samples });
  const settings = [settingOf("BAAI/bge-reranker-base", noisy)];
  const [row] = await cMteb(folder, settings);
  assert.deepEqual(row!.map, [75, undefined, undefined, undefined, 75, undefined]);
  assert.deepEqual(row!.published, [67.28, 63.95, 60.45, 35.46, 81.26, 84.1]);
  assert.equal(row!.average, undefined);
  assert.equal(row!.publishedAverage!.toFixed(2), "65.42");
  await assert.rejects(
    cMteb(folderWith(t, {}), settings),
    failsWith("INPUT_INVALID", "holds none of T2Reranking.jsonl"),
  );
});
