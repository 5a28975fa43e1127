import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { type Evaluation, evaluate, measures } from "../../src/evaluate/index.js";
import { failsWith } from "../support/errors.js";
import { temporaryFolder } from "../support/paths.js";
import { fakeReranker, noisy, noisyData, settingOf } from "./support/fake.js";

/** What does not depend on the clock. */
const timeless = ({ settings, ...rest }: Evaluation) => ({
  ...rest,
  settings: settings.map(({ latency: _, ...setting }) => setting),
});

const QUICK = { resamples: 200 };

it("compares the first stage, random order, rerankers and blends", async () => {
  const data = noisyData(80);
  const result = await evaluate(data, [settingOf("model", noisy)], { ...QUICK, random: true, weights: [0.25] });
  assert.deepEqual(
    result.settings.map(({ name, kind, letter }) => [name, kind, letter]),
    [
      ["BM25", "first stage", "a"],
      ["random order", "random", "b"],
      ["model", "reranker", "c"],
      ["model + 0.25 BM25", "blend", "d"],
      ["model + BM25, cross-validated", "blend", "e"],
    ],
  );
  const [first, random, model, blend, crossed] = result.settings.map(({ metrics }) => metrics["ndcg@10"]!.mean);
  assert.ok(random! < first! && first! < model! && model! < blend! && model! < crossed!);
  assert.equal(result.settings[2]!.beats, "ab");
  assert.equal(result.settings[2]!.latency!.pairs, 1600);
  assert.equal(result.settings[2]!.latency!.truncated, 80);
  assert.deepEqual(JSON.parse(JSON.stringify(result.data)), {
    ...{
      name: "noisy",
      protocol: "trec",
      queries: 80,
      pairs: 1600,
      relevantFound: 240,
      relevant: 240,
      firstStage: "BM25",
    },
  });
  const { judgments, candidates } = data.queries[7]!;
  const expected = measures(["ndcg@10"]).of({ ids: candidates.ids, scores: candidates.scores, judgments });
  assert.equal(result.settings[0]!.perQuery.q7!["ndcg@10"], expected[0]);
  const [analysis] = result.analyses;
  assert.ok(analysis!.blend!.recommended! > 0 && analysis!.blend!.recommended! < 1);
  assert.ok(analysis!.helped.length === 5 && analysis!.helped[0]!.after > analysis!.helped[0]!.before);
  assert.equal(analysis!.helped[0]!.first.after[0]!.after, 1);
});

it("gives the same figures for the same seed", async () => {
  const run = (seed: number) => evaluate(noisyData(20), [settingOf("model", noisy)], { ...QUICK, random: true, seed });
  const [one, two, other] = [await run(3), await run(3), await run(4)];
  assert.deepEqual(timeless(one), timeless(two));
  assert.notDeepEqual(timeless(one), timeless(other));
});

it("takes scores from a checkpoint, whole lines only, and asks for the rest", async (t) => {
  const checkpoint = join(temporaryFolder(t), "scores.jsonl");
  const data = noisyData(12);
  const undisturbed = await evaluate(data, [settingOf("model", noisy)], QUICK);
  const failing = fakeReranker((query, passage) => {
    if (query === "question 5") throw new Error("power cut");
    return Number(passage);
  });
  const setting = { name: "model", open: () => failing.reranker };
  await assert.rejects(evaluate(data, [setting], { ...QUICK, checkpoint }), /power cut/);
  assert.equal(failing.disposals(), 1);
  const { appendFileSync } = await import("node:fs");
  appendFileSync(checkpoint, '{"key":"[\\"model\\",\\"\\",\\"q5\\"]","scores":[1,2');
  const second = fakeReranker(noisy);
  const resumed = await evaluate(data, [{ name: "model", open: () => second.reranker }], { ...QUICK, checkpoint });
  assert.deepEqual(
    second.asked,
    data.queries.slice(5).map(({ text }) => text),
  );
  assert.deepEqual(timeless(resumed), timeless(undisturbed));
  const none = { name: "model", open: () => assert.fail("nothing is left to do") };
  assert.deepEqual(timeless(await evaluate(data, [none], { ...QUICK, checkpoint })), timeless(undisturbed));
  const other = fakeReranker(noisy);
  await evaluate(data, [{ name: "model", key: "int8", open: () => other.reranker }], { ...QUICK, checkpoint });
  assert.equal(other.asked.length, 12, "another key: other scores");
  await assert.rejects(evaluate(noisyData(13), [none], { checkpoint }), failsWith("INPUT_INVALID", "no checkpoint of"));
});

it("tells how far it has come", async () => {
  const seen: number[][] = [];
  const settings = [settingOf("one", noisy), settingOf("two", noisy)];
  await evaluate(noisyData(3), settings, {
    ...QUICK,
    onProgress: ({ done, total, secondsLeft }) => seen.push([done, total, secondsLeft === undefined ? -1 : 1]),
  });
  assert.deepEqual(
    seen,
    [20, 40, 60, 80, 100, 120].map((done) => [done, 120, 1]),
  );
});

it("refuses wrong options", async () => {
  const data = noisyData(2);
  const same = [settingOf("one", noisy), settingOf("one", noisy)];
  await assert.rejects(evaluate(data, same), failsWith("OPTION_INVALID", 'Two settings have the name "one"'));
  await assert.rejects(evaluate(data, [], { weights: [2] }), failsWith("OPTION_INVALID", "weights must be"));
  await assert.rejects(evaluate(data, [], { measures: ["x"] }), failsWith("OPTION_INVALID", "There is no measure"));
  const unordered = { ...data, firstStage: undefined };
  await assert.rejects(evaluate(unordered, [], { weights: [0.5] }), failsWith("OPTION_INVALID", "first stage"));
});
