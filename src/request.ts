import type { Overflow, ScoreStats } from "./types.js";

/** What to score: distinct queries, passages, and for each passage the index of its query (all the first by default). */
export interface ScoreRequest {
  queries: readonly string[];
  passages: readonly string[];
  queryOf?: readonly number[] | undefined;
}

/** A request to an engine of this process, as plain data that crosses threads. */
export interface LocalRequest extends ScoreRequest {
  /** Longest pair in tokens. */
  maxLength: number;
  /** Most tokens of a query; three quarters of `maxLength` when absent. */
  queryMaxLength?: number | undefined;
  overflow: Overflow;
}

/** What a request gives. */
export interface ScoreResult {
  /** One for each passage, in their order. */
  scores: ArrayLike<number>;
  /** Logits, or what the sigmoid has made of them. */
  kind: "logit" | "sigmoid";
  /** With `overflow: "max-passage"` the best window of each passage, as its character range. */
  spans?: readonly Span[] | undefined;
  stats: ScoreStats;
}

/** A range of characters in a text. */
export type Span = readonly [start: number, end: number];

/** The result of a request without passages. */
export function emptyResult(): ScoreResult {
  const stats = { pairs: 0, tokens: 0, truncated: 0, queueMs: 0, tokenizeMs: 0, inferenceMs: 0 };
  return { scores: [], kind: "logit", stats };
}
