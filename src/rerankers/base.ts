import { RerankError } from "../errors.js";
import type { ScoreRequest, ScoreResult } from "../request.js";
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
  checkRetrieval,
  documentTexts,
  isOnePair,
  loadOptionChecks,
  rankOptionChecks,
  scoreOptionChecks,
} from "../validate.js";
import { blend } from "./blending.js";
import { calibrated, checkModel, readCalibration } from "./calibrating.js";
import { groupQueries } from "./group-queries.js";
import { withinLimits } from "./limits.js";
import { rankScores, sigmoid } from "./ranking.js";

/** What `run` may need of a call's options. */
export interface RunOptions {
  /** Fires when nobody waits for the result any more; its reason is the error that the caller gets. */
  signal: AbortSignal | undefined;
  onProgress: ScoreOptions["onProgress"];
}

/** The calls of every reranker, local or remote: checks what comes in, has it scored, and turns scores into answers. */
export abstract class BaseReranker implements Reranker {
  abstract readonly info: RerankerInfo | undefined;
  abstract dispose(): Promise<void>;

  /** Makes everything ready for `run`. */
  protected abstract open(signal: AbortSignal | undefined): Promise<unknown>;

  /** Scores a request, whose arrays are no caller's. */
  protected abstract run(request: ScoreRequest, options: RunOptions): Promise<ScoreResult>;

  async load(options: LoadOptions = {}): Promise<void> {
    checkOptions("load", options, loadOptionChecks);
    await withinLimits(options, (signal) => this.open(signal));
  }

  computeScore(pair: readonly [string, string], options?: ScoreOptions): Promise<number>;
  computeScore(pairs: readonly (readonly [string, string])[], options?: ScoreOptions): Promise<number[]>;
  async computeScore(
    pairs: readonly [string, string] | readonly (readonly [string, string])[],
    options: ScoreOptions = {},
  ): Promise<number | number[]> {
    checkOptions("computeScore", options, scoreOptionChecks);
    const { normalize = false } = options;
    const one = isOnePair(pairs);
    const list = one ? [pairs] : pairs;
    checkPairs(list);
    const given = list.map(([query, passage]) => [query, passage] as const);
    const scores = convert(await this.#run(groupQueries(given), options), normalize);
    return one ? scores[0]! : scores;
  }

  async score(query: string, passages: readonly string[], options: ScoreOptions = {}): Promise<number[]> {
    checkOptions("score", options, scoreOptionChecks);
    const { normalize = false } = options;
    checkQuery(query);
    checkPassages(passages);
    return convert(await this.#run({ queries: [query], passages: [...passages] }, options), normalize);
  }

  async rank<T extends RerankDocument>(
    query: string,
    documents: readonly T[],
    options: RankOptions = {},
  ): Promise<RankedDocument<T>[]> {
    checkOptions("rank", options, rankOptionChecks);
    checkQuery(query);
    const passages = documentTexts(documents);
    checkRetrieval(options, passages.length);
    const given = [...documents];
    const { topN, scoreThreshold, normalize = true, retrievalWeight = 0.5 } = options;
    const retrieval = options.retrievalScores && [...options.retrievalScores];
    const calibration = readCalibration(options);
    const result = await this.#run({ queries: [query], passages }, options);
    const order = retrieval && blend(convert(result, false), retrieval, retrievalWeight);
    if (calibration) checkModel(calibration, this.info?.model);
    const toScore = calibration && ((logit: number) => calibrated(calibration, logit));
    const ranked =
      result.kind === "logit" || toScore
        ? rankScores(convert(result, false), { order, topN, scoreThreshold, normalize, toScore })
        : rankScores(convert(result, normalize), { order, topN, scoreThreshold, normalize: false });
    return ranked.map(({ index, score }) => {
      const span = result.spans?.[index];
      return { index, score, document: given[index]!, ...(span && { span: [...span] }) };
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** Reads the options before anything is waited for: the caller may use the object again. */
  async #run(request: ScoreRequest | Promise<ScoreRequest>, options: ScoreOptions): Promise<ScoreResult> {
    const { onProgress, onStats } = options;
    const result = await withinLimits(options, async (signal) => this.run(await request, { signal, onProgress }));
    onStats?.(result.stats);
    return result;
  }
}

function convert({ scores, kind }: ScoreResult, normalize: boolean): number[] {
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
      "ask for normalize: true without retrievalScores and calibration, or use an engine that returns raw scores (Text Embeddings Inference).",
  );
}
