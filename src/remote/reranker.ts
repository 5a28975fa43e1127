import { disposedError } from "../errors.js";
import { redaction } from "../http/redaction.js";
import { emptyResult, type ScoreRequest, type ScoreResult } from "../request.js";
import { BaseReranker, type RunOptions } from "../rerankers/base.js";
import type { Reranker, RerankerInfo } from "../types.js";
import { checkOptions } from "../validate.js";

import { type ApiOptions, findApi, type RemoteApi } from "./apis.js";
import type { HttpOptions } from "./http.js";
import { parseUrl, type RemoteOptions, remoteOptionChecks, requestHeaders, secretsOf } from "./options.js";

export type { RemoteOptions } from "./options.js";

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
    { headers: requestHeaders(options), redaction: redaction(secretsOf(url, options)), timeout, maxRetries },
    options.concurrency ?? 4,
  );
}

class RemoteReranker extends BaseReranker {
  readonly #options: ApiOptions;
  readonly #http: HttpOptions;
  readonly #concurrency: number;
  #api: Promise<RemoteApi> | undefined;
  #info: RerankerInfo | undefined;
  #disposed = false;
  /** One for each call under way: disposing aborts them all. */
  readonly #calls = new Set<AbortController>();

  constructor(options: ApiOptions, http: HttpOptions, concurrency: number) {
    super();
    this.#options = options;
    this.#http = http;
    this.#concurrency = concurrency;
  }

  get info(): RerankerInfo | undefined {
    return this.#info;
  }

  protected open(signal: AbortSignal | undefined): Promise<unknown> {
    return this.#call(signal, () => this.#connect());
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const call of this.#calls) call.abort(disposedError());
  }

  protected run(request: ScoreRequest, { signal, onProgress }: RunOptions): Promise<ScoreResult> {
    const { queries, passages } = request;
    return this.#call(signal, async (callSignal) => {
      if (passages.length === 0) return emptyResult();
      const api = await this.#connect();
      const start = performance.now();
      const batches = cutBatches(request, api.maxBatch);
      const scores = new Array<number>(passages.length);
      let done = 0;
      const sendBatches = async () => {
        for (let batch = batches.pop(); batch; batch = batches.pop()) {
          const texts = batch.indices.map((index) => passages[index]!);
          const values = await api.score(queries[batch.query]!, texts, callSignal);
          for (const [place, index] of batch.indices.entries()) scores[index] = values[place]!;
          done += texts.length;
          onProgress?.(done, passages.length);
        }
      };
      await Promise.all(Array.from({ length: Math.min(this.#concurrency, batches.length) }, sendBatches));
      const inferenceMs = performance.now() - start;
      const unknown = { tokens: undefined, truncated: undefined, queueMs: 0, tokenizeMs: 0 };
      return { scores, kind: api.scores, stats: { pairs: passages.length, ...unknown, inferenceMs } };
    });
  }

  /** All callers share one search for the API; a failed one is forgotten, so that the next call tries again. */
  #connect(): Promise<RemoteApi> {
    this.#api ??= this.#call(undefined, (signal) => findApi(this.#options, this.#http, signal)).then(
      (api) => {
        this.#info = api.info;
        return api;
      },
      (error) => {
        this.#api = undefined;
        throw error;
      },
    );
    return this.#api;
  }

  /** Runs work under a signal of its own, which fires when the caller's does, we are disposed, or the work fails. */
  async #call<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#disposed) throw disposedError();
    signal?.throwIfAborted();
    const call = new AbortController();
    const abort = () => call.abort(signal?.reason);
    this.#calls.add(call);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const fired = new Promise<never>((_, reject) => {
        call.signal.addEventListener("abort", () => reject(call.signal.reason), { once: true });
      });
      return await Promise.race([work(call.signal), fired]);
    } catch (error) {
      throw this.#http.redaction.clean(error);
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#calls.delete(call);
      call.abort(); // of the batches of a failed call, none goes on
    }
  }
}

/** Passages of one query, by index. */
interface RemoteBatch {
  query: number;
  indices: number[];
}

/** A request has one query, so that the passages of each go together; the last batch comes first, for `pop()`. */
function cutBatches({ queries, passages, queryOf }: ScoreRequest, size: number): RemoteBatch[] {
  const groups = queries.map((): number[] => []);
  for (const index of passages.keys()) groups[queryOf?.[index] ?? 0]!.push(index);
  const batches: RemoteBatch[] = [];
  for (const [query, group] of groups.entries()) {
    for (let start = 0; start < group.length; start += size) {
      batches.push({ query, indices: group.slice(start, start + size) });
    }
  }
  return batches.reverse();
}
