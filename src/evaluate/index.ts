export { DEFAULT_MEASURES, type Measures, measures, type Protocol } from "./metrics/measures.js";
export type { JudgedList } from "./metrics/trec-order.js";
