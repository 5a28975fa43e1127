import { notFiniteError } from "../errors.js";

/** The logistic sigmoid, written so that neither branch overflows. */
export function sigmoid(logit: number): number {
  if (logit >= 0) return 1 / (1 + Math.exp(-logit));
  const e = Math.exp(logit);
  return e / (1 + e);
}

export interface RankScoresOptions {
  /** What to order by instead of the logits, one for each, finite. @default the logits */
  order?: ArrayLike<number> | undefined;
  /** Keep this many at most. @default all */
  topN?: number | undefined;
  /** Drop what scores below this, inclusive: an equal score stays. Compared with the returned score. @default none */
  scoreThreshold?: number | undefined;
  /** Return the sigmoid of the logit. @default true */
  normalize?: boolean | undefined;
  /** What makes the normalized score of a logit; never falling. @default the sigmoid */
  toScore?: ((logit: number) => number) | undefined;
}

/**
 * Order logits, one a document, by descending relevance; ties go to the lower index. The threshold takes its part first,
 * then `topN`.
 *
 * The order never comes from the sigmoid: that of two different large logits can be the same number.
 *
 * @throws RerankError `MODEL_INVALID` for NaN or infinite logits, which would make the order meaningless.
 */
export function rankScores(
  logits: ArrayLike<number>,
  {
    order: relevance = logits,
    topN = Number.POSITIVE_INFINITY,
    scoreThreshold = Number.NEGATIVE_INFINITY,
    normalize = true,
    toScore = sigmoid,
  }: RankScoresOptions = {},
): { index: number; score: number }[] {
  const order = Array.from({ length: logits.length }, (_, index) => index);
  for (const index of order) {
    if (!Number.isFinite(logits[index])) throw notFiniteError(logits[index]!, `of document ${index}`);
  }
  order.sort((a, b) => relevance[b]! - relevance[a]!); // stable, so ties keep the order of their indexes
  const ranked = order.map((index) => ({ index, score: normalize ? toScore(logits[index]!) : logits[index]! }));
  return ranked.filter(({ score }) => score >= scoreThreshold).slice(0, topN);
}
