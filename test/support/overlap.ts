import { disposedError } from "../../src/errors.js";
import type { ScoreRequest, ScoreResult } from "../../src/request.js";
import { BaseReranker, type RunOptions } from "../../src/rerankers/base.js";
import type { RankedDocument, RankOptions, RerankDocument, RerankerInfo } from "../../src/types.js";

/** A made-up logit: the share of the query's words that the passage has, from -3 (none) to 3 (all). */
export function overlapLogit(query: string, passage: string): number {
  const words = new Set(passage.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  const asked = [...new Set(query.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])];
  if (asked.length === 0) return -3;
  return (6 * asked.filter((word) => words.has(word)).length) / asked.length - 3;
}

/** A small deterministic reranker for tests of code that uses one. It counts what is asked of it. */
export class OverlapReranker extends BaseReranker {
  loads = 0;
  disposals = 0;
  readonly ranked: { query: string; documents: readonly RerankDocument[]; options: RankOptions }[] = [];
  #loaded = false;

  get info(): RerankerInfo | undefined {
    if (!this.#loaded) return undefined;
    const info = {
      revision: undefined,
      architecture: "overlap",
      device: "cpu",
      dtype: undefined,
      maxLength: undefined,
    };
    return { model: "overlap", ...info };
  }

  protected async open(): Promise<void> {
    if (this.disposals > 0) throw disposedError();
    if (!this.#loaded) this.loads++;
    this.#loaded = true;
  }

  override rank<T extends RerankDocument>(
    query: string,
    documents: readonly T[],
    options: RankOptions = {},
  ): Promise<RankedDocument<T>[]> {
    this.ranked.push({ query, documents, options });
    return super.rank(query, documents, options);
  }

  async dispose(): Promise<void> {
    this.disposals++;
  }

  protected async run(request: ScoreRequest, { signal, onProgress }: RunOptions): Promise<ScoreResult> {
    const { queries, passages, queryOf } = request;
    await this.open();
    await new Promise(setImmediate);
    signal?.throwIfAborted();
    onProgress?.(passages.length, passages.length);
    const scores = passages.map((passage, index) => overlapLogit(queries[queryOf?.[index] ?? 0]!, passage));
    const stats = { tokens: undefined, truncated: undefined, queueMs: 0, tokenizeMs: 0, inferenceMs: 0 };
    return { scores, kind: "logit", stats: { pairs: passages.length, ...stats } };
  }
}
