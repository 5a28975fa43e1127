import type { Bm25Options } from "../first-stage/bm25.js";

export interface DataOptions extends Bm25Options {
  /** A file of judgments instead of the folder's own: TREC's or BEIR's. */
  qrels?: string | undefined;
  /** A TREC run to rerank instead of BM25's results. */
  run?: string | undefined;
  /** How many of the first stage's passages are reranked. A positive integer. @default 100 */
  depth?: number | undefined;
  /** Which judgments of a folder. @default "test", or the only ones */
  split?: string | undefined;
  /** Called while a large file is read, with bytes. */
  onRead?: ((what: string, done: number, total: number) => void) | undefined;
}
