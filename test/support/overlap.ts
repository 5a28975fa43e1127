import { RerankError } from "../../src/errors.js";
import { rankScores, sigmoid } from "../../src/inference/rank.js";
import type {
  LoadOptions,
  RankedDocument,
  RankOptions,
  RerankDocument,
  Reranker,
  RerankerInfo,
  ScoreOptions,
} from "../../src/types.js";
import {
  checkNotAborted,
  checkOptions,
  checkPairs,
  checkPassages,
  checkQuery,
  documentTexts,
  isOnePair,
  rankOptionChecks,
  scoreOptionChecks,
} from "../../src/validate.js";

/** A made-up logit: the share of the query's words that the passage has, from -3 (none) to 3 (all). */
export function overlapLogit(query: string, passage: string): number {
  const words = new Set(passage.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  const asked = [...new Set(query.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])];
  if (asked.length === 0) return -3;
  return (6 * asked.filter((word) => words.has(word)).length) / asked.length - 3;
}

/** A small deterministic reranker for tests of code that uses one. It counts what is asked of it. */
export class OverlapReranker implements Reranker {
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

  async load(options: LoadOptions = {}): Promise<void> {
    checkNotAborted(options.signal);
    if (this.disposals > 0) throw new RerankError("DISPOSED", "disposed");
    if (!this.#loaded) this.loads++;
    this.#loaded = true;
  }

  computeScore(pair: readonly [string, string], options?: ScoreOptions): Promise<number>;
  computeScore(pairs: readonly (readonly [string, string])[], options?: ScoreOptions): Promise<number[]>;
  async computeScore(
    pairs: readonly [string, string] | readonly (readonly [string, string])[],
    options: ScoreOptions = {},
  ): Promise<number | number[]> {
    checkOptions("computeScore", options, scoreOptionChecks);
    const list = isOnePair(pairs) ? [pairs] : pairs;
    checkPairs(list);
    await this.load(options.signal ? { signal: options.signal } : {});
    await new Promise(setImmediate);
    checkNotAborted(options.signal);
    options.onProgress?.(list.length, list.length);
    const logits = list.map(([query, passage]) => overlapLogit(query, passage));
    const scores = options.normalize ? logits.map(sigmoid) : logits;
    return isOnePair(pairs) ? scores[0]! : scores;
  }

  async score(query: string, passages: readonly string[], options: ScoreOptions = {}): Promise<number[]> {
    checkOptions("score", options, scoreOptionChecks);
    checkQuery(query);
    checkPassages(passages);
    return this.computeScore(
      passages.map((passage) => [query, passage] as const),
      options,
    );
  }

  async rank<T extends RerankDocument>(
    query: string,
    documents: readonly T[],
    options: RankOptions = {},
  ): Promise<RankedDocument<T>[]> {
    this.ranked.push({ query, documents, options });
    checkOptions("rank", options, rankOptionChecks);
    const { topN, scoreThreshold, normalize, ...rest } = options;
    const logits = await this.score(query, documentTexts(documents), rest);
    return rankScores(logits, { topN, scoreThreshold, normalize }).map(({ index, score }) => ({
      index,
      score,
      document: documents[index]!,
    }));
  }

  async dispose(): Promise<void> {
    this.disposals++;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
