import { RerankError } from "./errors.js";
import { rankScores, sigmoid } from "./inference/rank.js";
import { type Engine, type EngineOptions, findEngine } from "./remote/engine.js";
import type { HttpOptions } from "./remote/http.js";
import { parseUrl, type RemoteOptions, remoteOptionChecks, requestHeaders } from "./remote/options.js";
import type {
  LoadOptions,
  RankedDocument,
  RankOptions,
  RerankDocument,
  Reranker,
  RerankerInfo,
  ScoreOptions,
} from "./types.js";
import {
  abortedError,
  checkNotAborted,
  checkOptions,
  checkPairs,
  checkPassages,
  checkQuery,
  documentTexts,
  isOnePair,
  loadOptionChecks,
  rankOptionChecks,
  scoreOptionChecks,
} from "./validate.js";

export type { RemoteOptions } from "./remote/options.js";

/**
 * A reranker that runs elsewhere: an inference engine by URL, with the same contract as a local one.
 *
 * Nothing is sent before the first call or `load()`.
 *
 * @throws RerankError `OPTION_INVALID`; its calls reject with `REMOTE_FAILED` when the engine cannot be reached,
 * refuses or answers nonsense.
 */
export function remoteReranker(options: RemoteOptions): Reranker {
  checkOptions("remoteReranker", options, remoteOptionChecks);
  const url = parseUrl(options?.url);
  const { api = "auto", model, maxBatch, scores = "sigmoid", body = {}, timeout = 60_000, maxRetries = 3 } = options;
  return new RemoteReranker(
    { url, api, model, maxBatch, scores, body },
    { headers: requestHeaders(options), timeout, maxRetries },
    options.concurrency ?? 4,
  );
}

class RemoteReranker implements Reranker {
  readonly #options: EngineOptions;
  readonly #http: HttpOptions;
  readonly #concurrency: number;
  #engine: Promise<Engine> | undefined;
  #info: RerankerInfo | undefined;
  #disposed = false;
  /** One for each call under way: disposing aborts them all. */
  readonly #calls = new Set<AbortController>();

  constructor(options: EngineOptions, http: HttpOptions, concurrency: number) {
    this.#options = options;
    this.#http = http;
    this.#concurrency = concurrency;
  }

  get info(): RerankerInfo | undefined {
    return this.#info;
  }

  async load(options: LoadOptions = {}): Promise<void> {
    checkOptions("load", options, loadOptionChecks);
    await this.#call(options.signal, () => this.#connect());
  }

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
    const { scores, kind } = await this.#scorePairs(
      list.map(([query, passage]) => [query, passage] as const),
      options,
    );
    const converted = convert(scores, kind, options.normalize ?? false);
    return one ? converted[0]! : converted;
  }

  async score(query: string, passages: readonly string[], options: ScoreOptions = {}): Promise<number[]> {
    checkOptions("score", options, scoreOptionChecks);
    checkQuery(query);
    checkPassages(passages);
    const { scores, kind } = await this.#scorePairs(
      passages.map((passage) => [query, passage] as const),
      options,
    );
    return convert(scores, kind, options.normalize ?? false);
  }

  async rank<T extends RerankDocument>(
    query: string,
    documents: readonly T[],
    options: RankOptions = {},
  ): Promise<RankedDocument<T>[]> {
    checkOptions("rank", options, rankOptionChecks);
    checkQuery(query);
    const pairs = documentTexts(documents).map((text) => [query, text] as const);
    const given = [...documents];
    const { scores, kind } = await this.#scorePairs(pairs, options);
    const { topN, scoreThreshold, normalize = true } = options;
    const ranked =
      kind === "logit"
        ? rankScores(scores, { topN, scoreThreshold, normalize })
        : rankScores(convert(scores, kind, normalize), { topN, scoreThreshold, normalize: false });
    return ranked.map(({ index, score }) => ({ index, score, document: given[index]! }));
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const call of this.#calls) call.abort(disposedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** @param pairs are read while the call goes on, so they are no array of the caller's */
  async #scorePairs(
    pairs: readonly (readonly [string, string])[],
    { signal, onProgress }: ScoreOptions,
  ): Promise<{ scores: number[]; kind: Engine["scores"] }> {
    return this.#call(signal, async (callSignal) => {
      if (pairs.length === 0) return { scores: [], kind: "logit" };
      const engine = await this.#connect();
      const batches = cutBatches(pairs, engine.maxBatch);
      const scores = new Array<number>(pairs.length);
      let done = 0;
      const lane = async () => {
        for (let batch = batches.pop(); batch; batch = batches.pop()) {
          const texts = batch.map((index) => pairs[index]![1]);
          const values = await engine.score(pairs[batch[0]!]![0], texts, callSignal);
          for (const [place, index] of batch.entries()) scores[index] = values[place]!;
          done += batch.length;
          onProgress?.(done, pairs.length);
        }
      };
      await Promise.all(Array.from({ length: Math.min(this.#concurrency, batches.length) }, lane));
      return { scores, kind: engine.scores };
    });
  }

  /** All callers share one search for the engine; a failed one is forgotten, so that the next call tries again. */
  #connect(): Promise<Engine> {
    this.#engine ??= this.#call(undefined, (signal) => findEngine(this.#options, this.#http, signal)).then(
      (engine) => {
        this.#info = engine.info;
        return engine;
      },
      (error) => {
        this.#engine = undefined;
        throw error;
      },
    );
    return this.#engine;
  }

  /** Runs work under a signal of its own, which fires when the caller aborts, we are disposed, or the work fails. */
  async #call<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#disposed) throw disposedError();
    checkNotAborted(signal);
    const call = new AbortController();
    const abort = () => call.abort(signal && abortedError(signal));
    this.#calls.add(call);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const fired = new Promise<never>((_, reject) => {
        call.signal.addEventListener("abort", () => reject(call.signal.reason), { once: true });
      });
      return await Promise.race([work(call.signal), fired]);
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#calls.delete(call);
      call.abort(); // of the batches of a failed call, none goes on
    }
  }
}

/** Indexes of pairs, grouped by query because a request has one, in batches; the last comes first, for `pop()`. */
function cutBatches(pairs: readonly (readonly [string, string])[], size: number): number[][] {
  const groups = new Map<string, number[]>();
  for (const [index, [query]] of pairs.entries()) {
    const group = groups.get(query);
    if (group) group.push(index);
    else groups.set(query, [index]);
  }
  const batches: number[][] = [];
  for (const group of groups.values()) {
    for (let start = 0; start < group.length; start += size) batches.push(group.slice(start, start + size));
  }
  return batches.reverse();
}

function convert(scores: number[], kind: Engine["scores"], normalize: boolean): number[] {
  if (normalize) return kind === "logit" ? scores.map(sigmoid) : scores;
  return kind === "logit" ? scores : scores.map(logit);
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

function disposedError(): RerankError {
  return new RerankError("DISPOSED", "This reranker has been disposed; make a new one with remoteReranker().");
}
