import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { measures } from "../../../src/evaluate/metrics/measures.js";
import { failsWith } from "../../support/errors.js";
import { fixture } from "../../support/paths.js";
import { lcg } from "../support/lcg.js";

const read = (name: string) => JSON.parse(readFileSync(fixture(`evaluate/${name}`), "utf8"));

const close = (actual: number, expected: number, what: string) =>
  assert.ok(Math.abs(actual - expected) <= 1e-9, `${what}: ${actual} instead of ${expected}`);

it("gives trec_eval's values: ties, grades, missing judgments, nothing relevant", () => {
  const { run, qrels, expected } = read("trec.json");
  assert.ok(Object.keys(expected).length > 150);
  for (const [query, values] of Object.entries<Record<string, number>>(expected)) {
    const found = Object.entries<number>(run[query]);
    const names = Object.keys(values);
    const list = {
      ids: found.map(([id]) => id),
      scores: found.map(([, score]) => score),
      judgments: new Map(Object.entries<number>(qrels[query])),
    };
    const actual = measures(names).of(list);
    for (const [index, name] of names.entries()) close(actual[index]!, values[name]!, `${query} ${name}`);
  }
});

it("gives scikit-learn's average precision, and the reciprocal rank of BAAI's evaluator", () => {
  const random = lcg(7);
  const { of } = measures(["map", "mrr@10"], "c-mteb");
  const expected: [number, number][] = read("c-mteb.json");
  for (const [index, [precision, reciprocal]] of expected.entries()) {
    const [positives, negatives, levels] = [1 + random(6), 1 + random(20), 2 + random(60)];
    const scores = Array.from({ length: positives + negatives }, () => random(levels) / 8 - 2);
    const ids = scores.map((_, i) => `${i}`);
    const judgments = new Map(ids.slice(0, positives).map((id) => [id, 1]));
    const [map, mrr] = of({ ids, scores, judgments });
    close(map!, precision, `${index} map`);
    close(mrr!, reciprocal, `${index} mrr@10`);
  }
});

it("orders equal scores by descending ids, as C compares them", () => {
  // Last in UTF-16, not in UTF-8.
  const ids = ["a", "\u{ffff}", "\u{1f600}"];
  const { of } = measures(["precision@1"]);
  const best = ids.filter((id) => of({ ids, scores: [1, 1, 1], judgments: new Map([[id, 1]]) })[0] === 1);
  assert.deepEqual(best, ["\u{1f600}"]);
});

it("scores nothing found as 0", () => {
  const names = ["ndcg@10", "map", "mrr", "recall@5", "precision@5", "success@1"];
  assert.deepEqual(
    measures(names).of({ ids: [], scores: [], judgments: new Map([["a", 1]]) }),
    names.map(() => 0),
  );
});

it("refuses what it does not know, and a share without a cut", () => {
  for (const name of ["ndgc@10", "ndcg@0", "recall", "precision@", "constructor", ""]) {
    assert.throws(() => measures([name]), failsWith("OPTION_INVALID", /There is no measure/));
  }
  assert.throws(() => measures(["ndcg@10"], "c-mteb"), failsWith("OPTION_INVALID", /BAAI's evaluator/));
});
