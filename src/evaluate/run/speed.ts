import type { QueryScores } from "./setting.js";

/** How fast a setting was. */
export interface Speed {
  /** Milliseconds for one query's candidates: half of the queries took less, and 95 of 100. */
  p50Ms: number;
  p95Ms: number;
  pairsPerSecond: number;
  /** `undefined` for engines that do not count tokens. */
  tokensPerSecond: number | undefined;
  /** Passages that were cut because they were too long; `undefined` for engines that do not say. */
  truncated: number | undefined;
  pairs: number;
}

/** Of the queries that had something to score; `undefined` when none had. */
export function speedOf(queries: readonly QueryScores[]): Speed | undefined {
  const scored = queries.filter(({ scores }) => scores.length > 0);
  if (scored.length === 0) return undefined;
  const times = scored.map(({ ms }) => ms).sort((a, b) => a - b);
  const seconds = times.reduce((sum, ms) => sum + ms, 0) / 1000;
  const pairs = scored.reduce((sum, { scores }) => sum + scores.length, 0);
  const tokens = total(scored.map((query) => query.tokens));
  return {
    p50Ms: percentile(times, 0.5),
    p95Ms: percentile(times, 0.95),
    pairsPerSecond: pairs / seconds,
    tokensPerSecond: tokens === undefined ? undefined : tokens / seconds,
    truncated: total(scored.map((query) => query.truncated)),
    pairs,
  };
}

function total(counts: readonly (number | undefined)[]): number | undefined {
  return counts.reduce((sum, count) => (sum === undefined || count === undefined ? undefined : sum + count), 0);
}

/** Nearest-rank percentile of ascending values. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;
}
