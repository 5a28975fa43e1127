import type { RankedGains } from "./trec.js";

/** A query's passages, each with its score, and what people thought of passages for that query. */
export interface JudgedList {
  /** Passage ids, in any order. */
  ids: readonly string[];
  /** One for each id. */
  scores: ArrayLike<number>;
  /** Grades by passage id: 1 and above is relevant. */
  judgments: ReadonlyMap<string, number>;
}

/**
 * The grades in trec_eval's order: descending scores; among equal scores descending ids, compared byte by byte. A rank
 * that stands in a run file plays no part.
 */
export function trecOrder({ ids, scores, judgments }: JudgedList): RankedGains {
  const order = Array.from(ids, (_, index) => index);
  order.sort((a, b) => scores[b]! - scores[a]! || compareBytes(ids[b]!, ids[a]!));
  return { gains: order.map((index) => Math.max(0, judgments.get(ids[index]!) ?? 0)), ideal: idealGains(judgments) };
}

/** The grades of all relevant passages, descending. */
export function idealGains(judgments: ReadonlyMap<string, number>): number[] {
  return [...judgments.values()].filter((grade) => grade >= 1).sort((a, b) => b - a);
}

/** As C's strcmp on UTF-8: by code points, where JavaScript compares UTF-16 units. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
