import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { blend } from "../../src/rerankers/blending.js";

const close = (actual: readonly number[], expected: readonly number[]) => {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of actual.entries()) assert.ok(Math.abs(value - expected[i]!) < 1e-12, `${value} at ${i}`);
};

/** Descending, ties by the lower index. */
const order = (values: readonly number[]) => [...values.keys()].sort((a, b) => values[b]! - values[a]!);

describe("blend", () => {
  it("weighs both kinds of scores, each standardized", () => {
    // mean 2 and deviation sqrt(8/3); mean 0.2 and deviation 0.1 * sqrt(2/3)
    const [model, retrieval] = [Math.sqrt(3 / 2), Math.sqrt(3 / 2)];
    close(blend([0, 2, 4], [0.3, 0.2, 0.1], 0), [-model, 0, model]);
    close(blend([0, 2, 4], [0.3, 0.2, 0.1], 1), [retrieval, 0, -retrieval]);
    close(blend([0, 2, 4], [0.3, 0.2, 0.1], 0.5), [0, 0, 0]);
    close(blend([0, 2, 4], [0.3, 0.2, 0.1], 0.25), [-0.5 * model, 0, 0.5 * model]);
  });

  it("takes equal scores for no opinion", () => {
    close(blend([0.1, 0.1, 0.1], [1, 2, 3], 0.5), blend([7, 7, 7], [1, 2, 3], 0.5));
    assert.deepEqual(order(blend([5, 1, 3], [0.1, 0.1, 0.1], 0.99)), [0, 2, 1]);
    assert.deepEqual(blend([3], [8], 0.5), [0]);
    assert.deepEqual(blend([], [], 0.5), []);
  });

  it("gives the same on any scale, and numbers for any finite scores", () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    const rows = fc.array(fc.tuple(fc.integer({ min: -50, max: 50 }), finite), { maxLength: 20 });
    fc.assert(
      fc.property(rows, fc.double({ min: 0, max: 1, noNaN: true }), (all, weight) => {
        const logits = all.map(([logit]) => logit);
        const blended = blend(
          logits,
          all.map(([, score]) => score),
          weight,
        );
        assert.ok(blended.every(Number.isFinite));
        close(
          blend(
            logits,
            logits.map((logit) => 1000 * logit - 7),
            weight,
          ),
          blend(logits, logits, 0),
        );
      }),
    );
  });

  it("alone, either decides", () => {
    const logits = [0.3, -4, 9, 1];
    const retrieval = [1e300, -1e308, 3, 1e308];
    assert.deepEqual(order(blend(logits, retrieval, 0)), order(logits));
    assert.deepEqual(order(blend(logits, retrieval, 1)), order(retrieval));
  });
});
