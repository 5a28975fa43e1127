/*
 * BAAI's evaluator of the C-MTEB reranking tasks (FlagEmbedding, commit de8f464, C_MTEB/C_MTEB/tasks/Reranking.py): average
 * precision as scikit-learn's average_precision_score, and the reciprocal rank among the first k.
 */

/** A sample of such a task, scored. */
export interface ScoredSample {
  /** One for each passage. */
  scores: ArrayLike<number>;
  /** Whether each passage is a positive. */
  relevant: readonly boolean[];
}

/**
 * scikit-learn's `average_precision_score`: the sum of precisions at each distinct score, weighted by the recall gained
 * there. Equal scores share one threshold, so their order does not matter.
 */
export function samplePrecision({ scores, relevant }: ScoredSample): number {
  const order = descending(scores);
  const positives = relevant.filter(Boolean).length;
  let sum = 0;
  let found = 0;
  let counted = 0;
  for (let rank = 0; rank < order.length; rank++) {
    if (relevant[order[rank]!]) found++;
    const next = order[rank + 1];
    if (next !== undefined && scores[next] === scores[order[rank]!]) continue;
    sum += ((found - counted) * found) / (rank + 1);
    counted = found;
  }
  return positives === 0 ? 0 : sum / positives;
}

/** 1 / rank of the first positive among the first `k`. Equal scores stay in order: BAAI puts positives first. */
export function sampleReciprocalRank({ scores, relevant }: ScoredSample, k: number): number {
  const first = descending(scores).findIndex((index) => relevant[index]);
  return first === -1 || first >= k ? 0 : 1 / (first + 1);
}

function descending(scores: ArrayLike<number>): number[] {
  return Array.from({ length: scores.length }, (_, index) => index).sort((a, b) => scores[b]! - scores[a]!);
}
