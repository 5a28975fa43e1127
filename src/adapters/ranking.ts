import { RerankError } from "../errors.js";
import type { RankOptions, Reranker } from "../types.js";
import { isFunction, isOneOf, type OptionChecks, rankOptionChecks } from "../validate.js";
import { emitWarning } from "../warn.js";

/** How every adapter ranks, and what becomes of a failure. */
export interface RankingOptions extends Pick<RankOptions, "scoreThreshold" | "calibration"> {
  /** Scores in (0, 1); `false` gives raw logits. @default true */
  normalize?: boolean;
  /** Milliseconds that one reranking may take, a first load included; then it fails with `TIMEOUT`. @default none */
  timeout?: number;
  /**
   * What becomes of a reranking that fails or takes longer than `timeout`: `"throw"`, or `"keep-order"`, which returns
   * the retriever's own first `topN` without scores and warns once. An abort is no failure: it always throws.
   * @default "throw"
   */
  onFailure?: "throw" | "keep-order";
  /** Told of each failure that `"keep-order"` has hidden. @default none */
  onError?: (error: unknown) => void;
}

/** Checks of {@link RankingOptions}, for `checkOptions`. */
export const rankingOptionChecks: OptionChecks<RankingOptions> = {
  scoreThreshold: rankOptionChecks.scoreThreshold,
  normalize: rankOptionChecks.normalize,
  calibration: rankOptionChecks.calibration,
  timeout: rankOptionChecks.timeout,
  onFailure: isOneOf("throw", "keep-order"),
  onError: isFunction,
};

/** One place of a ranking. Without a score the order is the retriever's. */
export interface Place {
  index: number;
  score: number | undefined;
}

/** Ranks for one adapter. */
export class Ranking {
  readonly #options: RankingOptions;
  #warned = false;

  /** @param owner The adapter's name, for the warning. */
  constructor(
    private readonly owner: string,
    private readonly reranker: Reranker,
    options: RankingOptions,
  ) {
    const { scoreThreshold, normalize, calibration, timeout, onFailure, onError } = options;
    this.#options = { scoreThreshold, normalize, calibration, timeout, onFailure, onError };
  }

  rank(query: string, texts: readonly string[], call: RankOptions) {
    const { scoreThreshold, normalize, calibration, timeout } = this.#options;
    return this.reranker.rank(query, texts, { scoreThreshold, normalize, calibration, timeout, ...call });
  }

  /** What `work` gives, or the order of `count` documents as they came where it fails and `onFailure` allows that. */
  async orKeepOrder(
    count: number,
    { topN = count, signal }: Pick<RankOptions, "topN" | "signal">,
    work: () => Promise<Place[]>,
  ): Promise<Place[]> {
    try {
      return await work();
    } catch (error) {
      const aborted = signal?.aborted || (error instanceof RerankError && error.code === "ABORTED");
      if (this.#options.onFailure !== "keep-order" || aborted) throw error;
      this.#report(error);
      return Array.from({ length: Math.min(count, topN) }, (_, index) => ({ index, score: undefined }));
    }
  }

  #report(error: unknown): void {
    if (!this.#warned) {
      const message = error instanceof Error ? error.message : String(error);
      emitWarning(`${this.owner} could not rerank and keeps the retriever's order; this is said once. ${message}`);
    }
    this.#warned = true;
    this.#options.onError?.(error);
  }
}

/** One signal that fires with the first of those given; `undefined` when there is none. */
export function anySignal(...signals: (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = signals.filter((signal) => signal !== undefined);
  return given.length > 1 ? AbortSignal.any(given) : given[0];
}
