import type { RerankerInfo } from "../types.js";
import type { BlendSweep } from "./analysis/blend-sweep.js";
import type { CalibrationResult } from "./analysis/calibration.js";
import type { QueryExample } from "./analysis/examples.js";
import type { Histogram } from "./analysis/histogram.js";
import type { Thresholds } from "./analysis/threshold.js";
import type { Protocol } from "./metrics/measures.js";
import type { Speed } from "./run/speed.js";
import type { Interval } from "./statistics/bootstrap.js";
import type { Comparison } from "./statistics/compare.js";

/** What an evaluation found: plain data, which `JSON.stringify` writes and every report is made of. */
export interface Evaluation {
  format: "bge-reranker evaluation";
  version: 1;
  data: {
    name: string;
    protocol: Protocol;
    queries: number;
    /** Candidates of all queries. */
    pairs: number;
    /** Relevant ones among them, and relevant passages in all. */
    relevantFound: number;
    relevant: number;
    firstStage: string | undefined;
  };
  /** Names of the measures; the first is the one that decides. */
  measures: string[];
  settings: EvaluatedSetting[];
  /** Every pair of settings on the first measure, by name. */
  comparisons: NamedComparison[];
  /** What only rerankers have, one for each. */
  analyses: Analysis[];
}

export interface EvaluatedSetting {
  name: string;
  kind: "first stage" | "random" | "reranker" | "blend";
  /** Its letter, and the letters of the settings that it beats significantly. */
  letter: string;
  beats: string;
  info: RerankerInfo | undefined;
  /** By measure: the mean over queries, and its 95 % interval. */
  metrics: Record<string, Interval>;
  /** Of rerankers. */
  latency: Speed | undefined;
  /** By query id, and measure. */
  perQuery: Record<string, Record<string, number>>;
}

export interface NamedComparison extends Omit<Comparison, "a" | "b"> {
  a: string;
  b: string;
}

export interface Analysis {
  setting: string;
  /** Of the logits. */
  histogram: Histogram;
  thresholds: Thresholds;
  /** `undefined` when the judgments do not allow it. */
  calibration: CalibrationResult | undefined;
  /** `undefined` without a first stage, or with too few queries. */
  blend: BlendSweep | undefined;
  /** Queries that the reranker helped most, and those it hurt most. */
  helped: QueryExample[];
  hurt: QueryExample[];
}
