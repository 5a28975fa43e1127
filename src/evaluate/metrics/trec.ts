/*
 * The measures of NIST's trec_eval (https://github.com/usnistgov/trec_eval), by its definitions: a passage is relevant from
 * grade 1 on, what nobody judged counts as irrelevant, and a query without relevant passages scores 0.
 */

/** A ranking as the measures see it. */
export interface RankedGains {
  /** Grades in ranked order; 0 for what is irrelevant or was not judged. */
  gains: readonly number[];
  /** The grades of all relevant passages, found or not, descending. */
  ideal: readonly number[];
}

/** A measure of one ranking; higher is better. `k` is how many of the first passages it looks at. */
export type TrecMeasure = (ranked: RankedGains, k: number) => number;

/** trec_eval's `map`, and `map_cut_k`. */
export const averagePrecision: TrecMeasure = ({ gains, ideal }, k) => {
  let found = 0;
  let sum = 0;
  for (let rank = 0; rank < Math.min(k, gains.length); rank++) {
    if (gains[rank]! >= 1) sum += ++found / (rank + 1);
  }
  return share(sum, ideal.length);
};

/** trec_eval's `recip_rank`, of the first `k`. */
export const reciprocalRank: TrecMeasure = ({ gains }, k) => {
  const first = gains.findIndex((gain) => gain >= 1);
  return first === -1 || first >= k ? 0 : 1 / (first + 1);
};

/** trec_eval's `ndcg` and `ndcg_cut_k`: linear gains, discounted by log2(rank + 1). */
export const ndcg: TrecMeasure = ({ gains, ideal }, k) => share(dcg(gains, k), dcg(ideal, k));

/** trec_eval's `recall_k`. */
export const recall: TrecMeasure = ({ gains, ideal }, k) => share(relevantIn(gains, k), ideal.length);

/** trec_eval's `P_k`: of `k`, even when fewer were found. */
export const precision: TrecMeasure = ({ gains }, k) => relevantIn(gains, k) / k;

/** trec_eval's `success_k`: whether a relevant passage is among the first `k`. */
export const success: TrecMeasure = ({ gains }, k) => (relevantIn(gains, k) > 0 ? 1 : 0);

function relevantIn(gains: readonly number[], k: number): number {
  let count = 0;
  for (let rank = 0; rank < Math.min(k, gains.length); rank++) if (gains[rank]! >= 1) count++;
  return count;
}

function dcg(gains: readonly number[], k: number): number {
  let sum = 0;
  for (let rank = 0; rank < Math.min(k, gains.length); rank++) {
    if (gains[rank]! > 0) sum += gains[rank]! / Math.log2(rank + 2);
  }
  return sum;
}

const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
