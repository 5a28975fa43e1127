export type { Candidates, EvaluationData, JudgedQuery, Judgments, Run } from "./data/data.js";
export { openData } from "./data/open.js";
export type { DataOptions } from "./data/options.js";
export { DEFAULT_MEASURES, type Measures, measures, type Protocol } from "./metrics/measures.js";
export type { JudgedList } from "./metrics/trec-order.js";
export type { Interval } from "./statistics/bootstrap.js";
export type { Comparison } from "./statistics/compare.js";
