import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sweepBlend } from "../../../src/evaluate/analysis/blend-sweep.js";
import { calibrate, fitPlatt, reliability } from "../../../src/evaluate/analysis/calibration.js";
import { folds } from "../../../src/evaluate/analysis/folds.js";
import { thresholds } from "../../../src/evaluate/analysis/threshold.js";
import { measures } from "../../../src/evaluate/index.js";
import { Random } from "../../../src/evaluate/statistics/random.js";
import { sigmoid } from "../../../src/rerankers/ranking.js";
import { failsWith } from "../../support/errors.js";
import { noisyData } from "../support/fake.js";

/** Queries whose passages are relevant with the chance that a scaled logit says. */
function drawn(count: number, scale: number, offset: number) {
  const random = new Random(2);
  return Array.from({ length: count }, () => {
    const logits = Array.from({ length: 50 }, () => 12 * random.next() - 6);
    return { logits, relevant: logits.map((logit) => random.next() < sigmoid(scale * logit + offset)) };
  });
}

describe("calibration", () => {
  it("finds the scale and offset that made the judgments", () => {
    const { scale, offset, before, after } = calibrate(drawn(400, 0.5, -1.5), 1);
    assert.ok(Math.abs(scale - 0.5) < 0.03 && Math.abs(offset + 1.5) < 0.06, `${scale} ${offset}`);
    assert.ok(before.error > 0.1 && after.error < 0.02, `${before.error} → ${after.error}`);
  });

  it("does not overflow where the classes are far apart", () => {
    const { scale, offset } = fitPlatt({ logits: [-800, -700, 700, 800], relevant: [false, false, true, true] });
    assert.ok(scale > 0 && Number.isFinite(offset));
  });

  it("says when it cannot be", () => {
    const refused = (logits: number[], relevant: boolean[]) =>
      assert.throws(() => fitPlatt({ logits, relevant }), failsWith("INPUT_INVALID", "cannot be calibrated"));
    refused([1, 2], [true, true]);
    refused([1, 2, 3, 4], [true, true, false, false]);
  });

  it("measures the distance between promises and outcomes", () => {
    const { error, bins } = reliability([0.05, 0.05, 0.95, 1], [false, true, true, true]);
    assert.ok(Math.abs(error - (0.9 + 0.05) / 4) < 1e-12);
    assert.deepEqual(
      bins.map(({ count }) => count),
      [2, 2],
    );
  });
});

describe("thresholds", () => {
  const queries = [{ logits: [5, 4, 3, 2, 1, 0], relevant: [true, true, false, true, false, false] }];
  const many = Array.from({ length: 5 }, () => queries[0]!);

  it("recommends the lowest with the wanted precision", () => {
    const { recommended } = thresholds(many, 0.75);
    assert.deepEqual(recommended, { score: sigmoid(2), logit: 2, precision: 0.75, recall: 1, kept: 20 });
    assert.equal(thresholds(many, 1).recommended?.logit, 4);
  });

  it("recommends none that rests on a handful, and none where there is none", () => {
    assert.equal(thresholds(queries, 0.75).recommended, undefined);
    const wrong = many.map(({ logits }) => ({ logits, relevant: logits.map((logit) => logit === 0) }));
    assert.equal(thresholds(wrong, 0.9).recommended, undefined);
  });

  it("does not tell apart what has the same sigmoid", () => {
    const { curve } = thresholds([{ logits: [50, 49], relevant: [true, false] }], 0.5);
    assert.deepEqual(
      curve.map(({ kept }) => kept),
      [2],
    );
  });
});

describe("blending", () => {
  it("finds a weight that helps on queries that had no say", async () => {
    const { queries, texts } = noisyData(150);
    const logits = await Promise.all(queries.map(async (query) => (await texts(query)).map(Number)));
    const { sweep, perQuery } = sweepBlend(queries, logits, measures(["ndcg@10"]), 1);
    assert.ok(sweep.recommended !== undefined && sweep.recommended >= 0.15 && sweep.recommended <= 0.55);
    assert.ok(sweep.crossValidated > Math.max(sweep.means[0]!, sweep.means.at(-1)!));
    assert.equal(perQuery.length, 150);
  });

  it("recommends none where the first stage knows nothing", async () => {
    const { queries, texts } = noisyData(150);
    const logits = await Promise.all(queries.map(async (query) => (await texts(query)).map(Number)));
    const random = new Random(9);
    const blind = queries.map((query) => ({
      ...query,
      candidates: { ...query.candidates, scores: query.candidates.ids.map(() => random.next()) },
    }));
    assert.equal(sweepBlend(blind, logits, measures(["ndcg@10"]), 1).sweep.recommended, undefined);
  });
});

it("holds every query out once", () => {
  const parts = folds(23, 1);
  assert.deepEqual(
    parts.flatMap(({ test }) => test).sort((a, b) => a - b),
    Array.from({ length: 23 }, (_, i) => i),
  );
  for (const { train, test } of parts) {
    assert.equal(train.length + test.length, 23);
    assert.ok(!test.some((query) => train.includes(query)));
  }
});
