import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { rankScores, sigmoid } from "../../src/rerankers/ranking.js";

describe("sigmoid", () => {
  it("matches known values", () => {
    assert.equal(sigmoid(0), 0.5);
    // 1 / (1 + e^-1) and 1 / (1 + e^2), to 15 digits
    assert.ok(Math.abs(sigmoid(1) - 0.731058578630005) < 1e-15);
    assert.ok(Math.abs(sigmoid(-2) - 0.119202922022118) < 1e-15);
  });

  it("neither overflows nor leaves [0, 1] far out", () => {
    assert.equal(sigmoid(1000), 1);
    assert.equal(sigmoid(-1000), 0);
    assert.ok(sigmoid(-700) > 0, "small scores stay distinguishable from zero");
  });
});

describe("rankScores", () => {
  it("orders by descending score and reports positions in the input", () => {
    assert.deepEqual(rankScores([-1, 3, 0.5], { normalize: false }), [
      { index: 1, score: 3 },
      { index: 2, score: 0.5 },
      { index: 0, score: -1 },
    ]);
  });

  it("returns sigmoid scores by default", () => {
    assert.deepEqual(rankScores([0]), [{ index: 0, score: 0.5 }]);
  });

  it("breaks ties by the lower index", () => {
    const ranked = rankScores([1, 2, 1, 2, 1], { normalize: false });
    assert.deepEqual(
      ranked.map(({ index }) => index),
      [1, 3, 0, 2, 4],
    );
  });

  it("ranks by the logit where the sigmoid has saturated", () => {
    const ranked = rankScores([50, 60, 40]);
    assert.deepEqual(
      ranked.map(({ index }) => index),
      [1, 0, 2],
    );
    assert.deepEqual(new Set(ranked.map(({ score }) => score)), new Set([1]));
  });

  it("keeps at most topN", () => {
    assert.deepEqual(
      rankScores([1, 2, 3], { topN: 2 }).map(({ index }) => index),
      [2, 1],
    );
    assert.equal(rankScores([1, 2, 3], { topN: 10 }).length, 3);
  });

  it("compares the threshold with the returned score, inclusively", () => {
    assert.deepEqual(
      rankScores([-1, 0, 1], { scoreThreshold: 0.5 }).map(({ index }) => index),
      [2, 1],
    );
    assert.deepEqual(
      rankScores([-1, 0, 1], { scoreThreshold: 1, normalize: false }).map(({ index }) => index),
      [2],
    );
  });

  it("refuses NaN and infinities before sorting", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      assert.throws(() => rankScores([1, bad, 2]), {
        code: "MODEL_INVALID",
        message: /(NaN|-?Infinity) as the score of document 1/,
      });
    }
  });

  it("takes typed arrays and empty input", () => {
    assert.deepEqual(rankScores(new Float32Array([1, 2]), { normalize: false }), [
      { index: 1, score: 2 },
      { index: 0, score: 1 },
    ]);
    assert.deepEqual(rankScores([]), []);
  });

  it("returns a permutation in non-increasing order, for any logits", () => {
    const logits = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 }), {
      maxLength: 50,
    });
    fc.assert(
      fc.property(logits, fc.boolean(), (values, normalize) => {
        const ranked = rankScores(values, { normalize });
        const indexes = ranked.map(({ index }) => index);
        assert.deepEqual(
          [...indexes].sort((a, b) => a - b),
          [...values.keys()],
        );
        for (const [place, { index, score }] of ranked.entries()) {
          const next = ranked[place + 1];
          if (!next) continue;
          assert.ok(score >= next.score);
          assert.ok(
            values[index]! > values[next.index]! || (values[index] === values[next.index] && index < next.index),
          );
        }
      }),
    );
  });
});
