import { RerankError, show } from "../../errors.js";
import { samplePrecision, sampleReciprocalRank } from "./c-mteb.js";
import { averagePrecision, ndcg, precision, recall, reciprocalRank, success, type TrecMeasure } from "./trec.js";
import { type JudgedList, trecOrder } from "./trec-order.js";

/** By whose rules a ranking is measured. */
export type Protocol = "trec" | "c-mteb";

/** Measures a list by name, several at once. */
export interface Measures {
  /** As they were named: `"ndcg@10"`. */
  names: readonly string[];
  /** One value for each name. */
  of(list: JudgedList): number[];
}

const TREC: Readonly<Record<string, TrecMeasure>> = {
  map: averagePrecision,
  mrr: reciprocalRank,
  ndcg,
  recall,
  precision,
  success,
};

/** Those that mean something without a cut. */
const UNCUT = ["map", "mrr", "ndcg"];

/** What is measured when nobody says what; the first is the one that decides. */
export const DEFAULT_MEASURES: Readonly<Record<Protocol, readonly string[]>> = {
  trec: ["ndcg@10", "map", "mrr@10", "recall@10", "precision@5", "success@1"],
  "c-mteb": ["map", "mrr@10"],
};

/**
 * @param names `map`, `mrr`, `ndcg`, `recall`, `precision`, `success`, with `@k` for the first k passages (`ndcg@10`)
 * @throws RerankError `OPTION_INVALID` for other names, and for `recall`, `precision` and `success` without `@k`
 */
export function measures(names: readonly string[], protocol: Protocol = "trec"): Measures {
  const parsed = names.map((name) => parse(name, protocol));
  return {
    names: [...names],
    of: protocol === "trec" ? trecMeasures(parsed) : sampleMeasures(parsed),
  };
}

interface Parsed {
  base: string;
  k: number;
}

function trecMeasures(parsed: readonly Parsed[]): Measures["of"] {
  return (list) => {
    const ranked = trecOrder(list);
    return parsed.map(({ base, k }) => TREC[base]!(ranked, k));
  };
}

function sampleMeasures(parsed: readonly Parsed[]): Measures["of"] {
  return ({ ids, scores, judgments }) => {
    const sample = { scores, relevant: ids.map((id) => (judgments.get(id) ?? 0) >= 1) };
    return parsed.map(({ base, k }) => (base === "map" ? samplePrecision(sample) : sampleReciprocalRank(sample, k)));
  };
}

function parse(name: string, protocol: Protocol): Parsed {
  const { base = "", k } = /^(?<base>[a-z]+)(?:@(?<k>[1-9]\d{0,5}))?$/.exec(name)?.groups ?? {};
  const known = protocol === "trec" ? Object.hasOwn(TREC, base) : base === "mrr" || (base === "map" && k === undefined);
  if (known && (k !== undefined || UNCUT.includes(base))) {
    return { base, k: k === undefined ? Number.POSITIVE_INFINITY : Number(k) };
  }
  const there =
    protocol === "trec"
      ? "map, mrr, ndcg (all of them also with @k), recall@k, precision@k and success@k"
      : "map, mrr and mrr@k, as BAAI's evaluator has them";
  throw new RerankError("OPTION_INVALID", `There is no measure ${show(name)}; there are ${there}.`);
}
