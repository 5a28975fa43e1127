import { blend } from "../../rerankers/blending.js";
import type { JudgedQuery } from "../data/data.js";
import type { Measures } from "../metrics/measures.js";
import { meanOf } from "../statistics/bootstrap.js";
import { pairedTTest } from "../statistics/t-test.js";
import { folds } from "./folds.js";

/** What the first stage's scores add to the model's. */
export interface BlendSweep {
  /** Weights of the first stage, from 0 (the model alone) to 1 (the first stage alone). */
  weights: readonly number[];
  /** Mean of the first measure with each weight. */
  means: readonly number[];
  /** The weight to use as `retrievalWeight`; `undefined` when a blend is not proven to be better than its better part. */
  recommended: number | undefined;
  /** Best on all queries. */
  best: number;
  /** Mean of the first measure on queries that had no say in the choice of their weight. */
  crossValidated: number;
  /** Of the test whether the cross-validated blend is better than its better part by chance alone. */
  p: number;
}

export const WEIGHTS: readonly number[] = Array.from({ length: 21 }, (_, step) => step / 20);

/** Measures of one query with each weight. */
type Swept = readonly (readonly number[])[];

/**
 * Sweeps the weight of the first stage's scores. The choice of a weight is judged on queries that were held out.
 * @param logits A list for each query, a logit for each candidate.
 * @returns `perQuery`: every measure of every query, with the weight that the other folds chose
 */
export function sweepBlend(
  queries: readonly JudgedQuery[],
  logits: readonly (readonly number[])[],
  measures: Measures,
  seed: number,
): { sweep: BlendSweep; perQuery: number[][] } {
  const swept = queries.map((query, index): Swept => WEIGHTS.map((w) => blended(query, logits[index]!, w, measures)));
  const curve = (some: readonly number[]) => WEIGHTS.map((_, w) => meanOf(some.map((query) => swept[query]![w]![0]!)));
  const all = queries.map((_, index) => index);
  const perQuery: number[][] = [];
  for (const { train, test } of folds(queries.length, seed)) {
    const weight = bestOf(curve(train));
    for (const query of test) perQuery[query] = [...swept[query]![weight]!];
  }
  const means = curve(all);
  const best = bestOf(means);
  const better = means[0]! >= means.at(-1)! ? 0 : WEIGHTS.length - 1;
  const first = perQuery.map(([value]) => value!);
  const alone = swept.map((query) => query[better]![0]!);
  const { p } = pairedTTest(first, alone);
  const gain = meanOf(first) - meanOf(alone);
  const proven = gain > 0 && p < 0.05 && best > 0 && best < WEIGHTS.length - 1;
  const crossValidated = meanOf(first);
  const sweep = { weights: WEIGHTS, means, best: WEIGHTS[best]!, crossValidated, p };
  return { sweep: { ...sweep, recommended: proven ? WEIGHTS[best]! : undefined }, perQuery };
}

/** Every measure of one query, ordered as `rank` orders with that `retrievalWeight`. */
export function blended(
  { judgments, candidates: { ids, scores } }: JudgedQuery,
  logits: readonly number[],
  weight: number,
  measures: Measures,
): number[] {
  return measures.of({ ids, scores: blend(logits, scores, weight), judgments });
}

/**
 * The best weight on a curve that is smoothed over its neighbours: where many weights are as good, the middle of them, and
 * not the peak that chance put somewhere.
 */
function bestOf(means: readonly number[]): number {
  const smooth = means.map((_, index) => meanOf(means.slice(Math.max(0, index - 2), index + 3)));
  const inner = smooth.reduce((best, value, index) => (value > smooth[best]! ? index : best), 0);
  // The ends are smoothed with one side only, and are not weights like others: one of the stages is left out there.
  const ends = [0, means.length - 1].filter((end) => means[end]! > means[inner]!);
  return ends.reduce((best, end) => (means[end]! > means[best]! ? end : best), inner);
}
