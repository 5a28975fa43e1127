import type { ScoreStats } from "./types.js";

/** What to score: distinct queries, passages, and for each passage the index of its query (all the first by default). */
export interface ScoreRequest {
  queries: readonly string[];
  passages: readonly string[];
  queryOf?: readonly number[] | undefined;
}

/** What a request gives. */
export interface ScoreResult {
  /** One for each passage, in their order. */
  scores: ArrayLike<number>;
  /** Logits, or what the sigmoid has made of them. */
  kind: "logit" | "sigmoid";
  /** With `overflow: "max-passage"` the best window of each passage, as its character range. */
  spans?: readonly (readonly [start: number, end: number])[] | undefined;
  stats: ScoreStats;
}

/** The result of a request without passages. */
export function emptyResult(): ScoreResult {
  return {
    scores: [],
    kind: "logit",
    stats: { pairs: 0, tokens: 0, truncated: 0, queueMs: 0, tokenizeMs: 0, inferenceMs: 0 },
  };
}
