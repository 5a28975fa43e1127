import type { LabelledScores } from "./calibration.js";

/** How many relevant and other passages have which logits. */
export interface Histogram {
  /** Lower ends of equal ranges, and the last one's upper end. */
  edges: number[];
  /** Counts in each range. */
  relevant: number[];
  other: number[];
}

const BINS = 30;

export function histogram(queries: readonly LabelledScores[]): Histogram {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { logits } of queries) {
    for (const logit of logits) [low, high] = [Math.min(low, logit), Math.max(high, logit)];
  }
  if (low > high) return { edges: [], relevant: [], other: [] };
  const width = (high - low) / BINS || 1;
  const counts = { relevant: Array.from({ length: BINS }, () => 0), other: Array.from({ length: BINS }, () => 0) };
  for (const { logits, relevant } of queries) {
    for (const [index, logit] of logits.entries()) {
      counts[relevant[index] ? "relevant" : "other"][Math.min(BINS - 1, Math.floor((logit - low) / width))]!++;
    }
  }
  return { edges: Array.from({ length: BINS + 1 }, (_, i) => low + i * width), ...counts };
}
