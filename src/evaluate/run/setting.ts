import type { Reranker, RerankerInfo } from "../../types.js";

/** Something to compare: a reranker under a name. */
export interface Setting {
  /** For tables and files; no two settings have the same. */
  name: string;
  /** Makes the reranker when its turn has come; it is disposed afterwards, so that one model is loaded at a time. */
  open(): Reranker | Promise<Reranker>;
  /** What else decides the scores: with another `key`, scores of a checkpoint are not taken. @default "" */
  key?: string;
}

/** What a setting made of one query. */
export interface QueryScores {
  /** Logits, one for each candidate. */
  scores: readonly number[];
  /** Wall time of the call, in milliseconds. */
  ms: number;
  /** Tokens that were read; `undefined` for engines that do not say. */
  tokens: number | undefined;
  /** Passages that were cut. */
  truncated: number | undefined;
}

/** What a setting made of all queries, in their order. */
export interface SettingScores {
  info: RerankerInfo | undefined;
  queries: readonly QueryScores[];
}
