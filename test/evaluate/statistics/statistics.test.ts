import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { Resamples } from "../../../src/evaluate/statistics/bootstrap.js";
import { compareAll, holm, letters } from "../../../src/evaluate/statistics/compare.js";
import { Random } from "../../../src/evaluate/statistics/random.js";
import { pairedTTest, studentTail } from "../../../src/evaluate/statistics/t-test.js";
import { fixture } from "../../support/paths.js";

const scipy = JSON.parse(readFileSync(fixture("evaluate/statistics.json"), "utf8"));

const close = (actual: number, expected: number, tolerance = 1e-9) =>
  assert.ok(Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected)), `${actual}, not ${expected}`);

it("tests pairs as scipy.stats.ttest_rel", () => {
  for (const { a, b, t, p } of scipy.pairs) {
    const ours = pairedTTest(a, b);
    close(ours.t, t);
    close(ours.p, p);
  }
  for (const [t, df, tail] of scipy.tails) close(studentTail(t, df), tail);
});

it("says p = 1 where nothing differs, and 0 where all differ by the same", () => {
  assert.equal(pairedTTest([1, 2], [1, 2]).p, 1);
  assert.equal(pairedTTest([1], [0]).p, 1);
  assert.equal(pairedTTest([1, 2, 3], [0, 1, 2]).p, 0);
});

it("gives scipy.stats.bootstrap's percentile interval for the same drawings", () => {
  const { values, drawn, low, high } = scipy.bootstrap;
  const interval = new Resamples(drawn).interval(values);
  close(interval.low, low);
  close(interval.high, high);
});

it("draws the same for the same seed, and evenly", () => {
  const [one, two] = [Resamples.random(10, 1, 500), Resamples.random(10, 1, 500)];
  assert.deepEqual(one.drawn, two.drawn);
  assert.notDeepEqual(one.drawn, Resamples.random(10, 2, 500).drawn);
  const counts = Array.from({ length: 10 }, () => 0);
  for (const indexes of one.drawn) for (const index of Array.from(indexes)) counts[index]!++;
  for (const count of counts) assert.ok(Math.abs(count - 500) < 100, String(count));
  assert.deepEqual(
    new Random(4).order(50).sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  );
});

it("corrects for many comparisons as Holm does", () => {
  assert.deepEqual(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]);
});

it("compares all settings: wins, losses, and letters of those that are beaten", () => {
  const random = new Random(1);
  const base = Array.from({ length: 60 }, () => random.next());
  const better = base.map((value, i) => (i < 10 ? value : value + 0.2 + random.next() / 10));
  const same = base.map((value, i) => value + (i % 2 === 0 ? 0.01 : -0.01));
  const comparisons = compareAll([base, better, same], Resamples.random(60, 1, 200));
  const [first] = comparisons;
  assert.deepEqual([first!.a, first!.b, first!.wins, first!.losses, first!.ties], [0, 1, 0, 50, 10]);
  assert.ok(first!.difference.low < first!.difference.mean && first!.difference.high < 0);
  assert.deepEqual(letters(3, comparisons), ["", "ac", ""]);
});
