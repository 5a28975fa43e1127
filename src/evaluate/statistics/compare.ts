import type { Interval, Resamples } from "./bootstrap.js";
import { pairedTTest } from "./t-test.js";

/** Two settings on the same queries. */
export interface Comparison {
  /** Index of the one setting. */
  a: number;
  /** Index of the other. */
  b: number;
  /** Mean of `a` less mean of `b`, with its interval. */
  difference: Interval;
  /** Of the paired t-test. */
  p: number;
  /** `p` after Holm's correction for comparing all pairs. */
  adjustedP: number;
  significant: boolean;
  /** Queries on which `a` is better, worse, and even. */
  wins: number;
  losses: number;
  ties: number;
}

/** Below this a difference is called significant. */
const LEVEL = 0.05;

/**
 * Every pair of settings, on one measure.
 * @param values A list for each setting, a value for each query.
 */
export function compareAll(values: readonly ArrayLike<number>[], resamples: Resamples): Comparison[] {
  const pairs = values.flatMap((_, a) => values.slice(a + 1).map((_, i) => [a, a + 1 + i] as const));
  const p = pairs.map(([a, b]) => pairedTTest(values[a]!, values[b]!).p);
  const adjusted = holm(p);
  return pairs.map(([a, b], index) => {
    const differences = Float64Array.from(values[a]!, (value, i) => value - values[b]![i]!);
    const wins = differences.reduce((count, value) => count + Number(value > 0), 0);
    const losses = differences.reduce((count, value) => count + Number(value < 0), 0);
    return {
      a,
      b,
      difference: resamples.interval(differences),
      p: p[index]!,
      adjustedP: adjusted[index]!,
      significant: adjusted[index]! < LEVEL,
      wins,
      losses,
      ties: differences.length - wins - losses,
    };
  });
}

/** Holm's step-down correction: the chance of even one false alarm stays below the level. */
export function holm(p: readonly number[]): number[] {
  const order = p.map((_, index) => index).sort((a, b) => p[a]! - p[b]!);
  const adjusted = p.map(() => 1);
  let largest = 0;
  for (const [rank, index] of order.entries()) {
    largest = Math.max(largest, Math.min(1, p[index]! * (p.length - rank)));
    adjusted[index] = largest;
  }
  return adjusted;
}

/** For each setting the letters of those that it beats significantly, as ranx shows them. */
export function letters(count: number, comparisons: readonly Comparison[]): string[] {
  const beaten = Array.from({ length: count }, (): number[] => []);
  for (const { a, b, difference, significant } of comparisons) {
    if (!significant) continue;
    if (difference.mean > 0) beaten[a]!.push(b);
    else beaten[b]!.push(a);
  }
  return beaten.map((list) =>
    list
      .sort((x, y) => x - y)
      .map(letterOf)
      .join(""),
  );
}

/** `a` to `z`, then `A` to `Z`. */
export function letterOf(index: number): string {
  return "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[index] ?? "?";
}
