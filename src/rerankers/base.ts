import { RerankError } from "../errors.js";
import type { Job } from "../request.js";
import type {
  LoadOptions,
  RankedDocument,
  RankOptions,
  RerankDocument,
  Reranker,
  RerankerInfo,
  ScoreOptions,
} from "../types.js";
import {
  checkOptions,
  checkPairs,
  checkPassages,
  checkQuery,
  documentTexts,
  isOnePair,
  rankOptionChecks,
  scoreOptionChecks,
} from "../validate.js";
import { rankScores, sigmoid } from "./ranking.js";

/** What a job gave, in the order of its passages. */
export interface Scored {
  scores: ArrayLike<number>;
  /** Logits, or what the sigmoid has made of them. */
  kind: "logit" | "sigmoid";
  /** With `overflow: "max-passage"` the best window of each passage. */
  spans?: readonly ([number, number] | undefined)[];
}

/** The calls of every reranker, local or remote: checks what comes in, has it scored, and turns scores into answers. */
export abstract class RerankerCalls implements Reranker {
  abstract readonly info: RerankerInfo | undefined;
  abstract load(options?: LoadOptions): Promise<void>;
  abstract dispose(): Promise<void>;

  /** Scores a job, whose arrays are no caller's. */
  protected abstract run(job: Job, options: ScoreOptions): Promise<Scored>;

  computeScore(pair: readonly [string, string], options?: ScoreOptions): Promise<number>;
  computeScore(pairs: readonly (readonly [string, string])[], options?: ScoreOptions): Promise<number[]>;
  async computeScore(
    pairs: readonly [string, string] | readonly (readonly [string, string])[],
    options: ScoreOptions = {},
  ): Promise<number | number[]> {
    checkOptions("computeScore", options, scoreOptionChecks);
    const one = isOnePair(pairs);
    const list = one ? [pairs] : pairs;
    checkPairs(list);
    const queries = [...new Set(list.map(([query]) => query))];
    const indexOf = new Map(queries.map((query, index) => [query, index]));
    const queryOf = list.map(([query]) => indexOf.get(query)!);
    const scored = await this.run({ queries, passages: list.map(([, passage]) => passage), queryOf }, options);
    const scores = convert(scored, options.normalize ?? false);
    return one ? scores[0]! : scores;
  }

  async score(query: string, passages: readonly string[], options: ScoreOptions = {}): Promise<number[]> {
    checkOptions("score", options, scoreOptionChecks);
    checkQuery(query);
    checkPassages(passages);
    const scored = await this.run({ queries: [query], passages: [...passages] }, options);
    return convert(scored, options.normalize ?? false);
  }

  async rank<T extends RerankDocument>(
    query: string,
    documents: readonly T[],
    options: RankOptions = {},
  ): Promise<RankedDocument<T>[]> {
    checkOptions("rank", options, rankOptionChecks);
    checkQuery(query);
    const passages = documentTexts(documents);
    const given = [...documents];
    const scored = await this.run({ queries: [query], passages }, options);
    const { topN, scoreThreshold, normalize = true } = options;
    const ranked =
      scored.kind === "logit"
        ? rankScores(scored.scores, { topN, scoreThreshold, normalize })
        : rankScores(convert(scored, normalize), { topN, scoreThreshold, normalize: false });
    return ranked.map(({ index, score }) => {
      const span = scored.spans?.[index];
      return { index, score, document: given[index]!, ...(span && { span }) };
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

function convert({ scores, kind }: Scored, normalize: boolean): number[] {
  if (normalize === (kind === "sigmoid")) return Array.from(scores);
  return Array.from(scores, normalize ? sigmoid : logit);
}

/** The inverse of the sigmoid. */
function logit(score: number): number {
  const value = Math.log(score) - Math.log1p(-score);
  if (Number.isFinite(value)) return value;
  throw new RerankError(
    "REMOTE_FAILED",
    `The engine returned the normalized score ${score}, which has lost its logit; ` +
      "ask for normalize: true, or use an engine that returns raw scores (Text Embeddings Inference).",
  );
}
