import { AsyncLocalStorage } from "node:async_hooks";
import { CallbackManager, type Callbacks } from "@langchain/core/callbacks/manager";
import { Document, type DocumentInterface } from "@langchain/core/documents";
import { BaseDocumentCompressor } from "@langchain/core/retrievers/document_compressors";
import { ensureConfig } from "@langchain/core/runnables";
import { AsyncLocalStorageProviderSingleton } from "@langchain/core/singletons";
import { RerankError, show } from "../errors.js";
import type { LoadOptions, RankOptions } from "../types.js";
import { checkOptions, isAbortSignal, isFunction, isPositiveInteger, isText, isWeight } from "../validate.js";
import { anySignal, Ranking, type RankingOptions } from "./ranking.js";
import { type AdapterReranker, makeReranker, type RerankerSource } from "./source.js";

// Without it LangChain hands neither callbacks nor a signal on to what a chain calls. The first to set it wins.
AsyncLocalStorageProviderSingleton.initializeGlobalInstance(new AsyncLocalStorage());

/** Options of {@link BgeReranker}: where scores come from, and what becomes of them. */
export type BgeRerankerOptions = RerankerSource &
  RankingOptions & {
    /** Documents to return at most. @default 3 */
    topN?: number;
    /** Key of the score in the metadata of returned documents. @default "relevanceScore" */
    scoreKey?: string;
    /**
     * Key of the retriever's own score in the metadata of the documents. With it the order blends both scores; the
     * score that is returned stays the model's. @default none: the model alone decides
     */
    retrievalScoreKey?: string;
    /** Weight of the retriever's score, from 0 (none) to 1 (it alone). @default 0.5 */
    retrievalWeight?: number;
    /** Aborts everything that this compressor does. @default none */
    signal?: AbortSignal;
  };

/** Options of one call. */
export type BgeRerankerCallOptions = Pick<RankOptions, "signal" | "onProgress">;

/** A document with `pageContent`, a record with `pageContent` or `text`, or the text itself. */
type Rerankable = string | { readonly pageContent?: unknown; readonly text?: unknown };

const ownChecks = {
  topN: isPositiveInteger,
  scoreKey: isText,
  retrievalScoreKey: isText,
  retrievalWeight: isWeight,
  signal: isAbortSignal,
};
const callChecks = { signal: isAbortSignal, onProgress: isFunction };

/**
 * A LangChain.js document compressor that keeps the documents a cross-encoder finds most relevant, best first.
 * The model loads on first use.
 *
 * @throws RerankError `OPTION_INVALID`
 */
export class BgeReranker extends BaseDocumentCompressor {
  readonly topN: number;
  readonly scoreKey: string;
  readonly #retrieval: { key: string; weight: number | undefined } | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #made: AdapterReranker;
  readonly #ranking: Ranking;

  constructor(options: BgeRerankerOptions = {}) {
    super();
    this.#made = makeReranker("BgeReranker", options, ownChecks);
    this.#ranking = new Ranking("BgeReranker", this.#made.reranker, options);
    this.topN = options.topN ?? 3;
    this.scoreKey = options.scoreKey ?? "relevanceScore";
    this.#signal = options.signal;
    const { retrievalScoreKey: key, retrievalWeight: weight } = options;
    if (key === undefined && weight !== undefined) {
      throw new RerankError("OPTION_INVALID", "BgeReranker: retrievalWeight needs retrievalScoreKey beside it.");
    }
    this.#retrieval = key === undefined ? undefined : { key, weight };
  }

  /**
   * New documents, id and metadata kept and the score added; the given ones stay as they are.
   *
   * Inside a chain its config says who the parent run is, and when to stop.
   */
  override async compressDocuments(
    documents: DocumentInterface[],
    query: string,
    callbacks?: Callbacks,
    options: BgeRerankerCallOptions = {},
  ): Promise<Document[]> {
    checkOptions("compressDocuments", options, callChecks);
    const given = listOf(documents);
    if (given.length === 0) return [];
    const config = ensureConfig();
    const manager = CallbackManager.configure(callbacks ?? config.callbacks);
    const serialized = { lc: 1, type: "not_implemented" as const, id: ["bge-reranker", "BgeReranker"] };
    const run = await manager?.handleChainStart(serialized, { query, documents: given });
    const call = { ...options, topN: this.topN, signal: anySignal(this.#signal, options.signal, config.signal) };
    try {
      const places = await this.#ranking.orKeepOrder(given.length, call, () => this.#rank(given, query, call));
      const output = places.map(({ index, score }) => {
        const { id, pageContent, metadata } = given[index]!;
        const scored = score === undefined ? { ...metadata } : { ...metadata, [this.scoreKey]: score };
        return new Document({ id, pageContent, metadata: scored });
      });
      await run?.handleChainEnd({ documents: output });
      return output;
    } catch (error) {
      await run?.handleChainError(error);
      throw error;
    }
  }

  /**
   * Positions and scores of the best documents, best first, as `CohereRerank` gives them. It throws what goes wrong,
   * whatever `onFailure` says: without scores there is nothing to return.
   */
  async rerank(
    documents: readonly Rerankable[],
    query: string,
    options: BgeRerankerCallOptions & { topN?: number } = {},
  ): Promise<{ index: number; relevanceScore: number }[]> {
    checkOptions("rerank", options, { ...callChecks, topN: isPositiveInteger });
    const given = listOf(documents);
    if (given.length === 0) return [];
    const signal = anySignal(this.#signal, options.signal, ensureConfig().signal);
    const ranked = await this.#rank(given, query, { ...options, topN: options.topN ?? this.topN, signal });
    return ranked.map(({ index, score }) => ({ index, relevanceScore: score }));
  }

  /** Load the model now instead of on first use. */
  load(options?: LoadOptions): Promise<void> {
    return this.#made.reranker.load(options);
  }

  /** Free the model, unless it came in as `reranker` or another adapter uses it. */
  dispose(): Promise<void> {
    return this.#made.dispose();
  }

  async #rank(documents: readonly Rerankable[], query: string, call: RankOptions) {
    const { key, weight } = this.#retrieval ?? {};
    const retrieval = key === undefined ? {} : { retrievalScores: scoresOf(documents, key), retrievalWeight: weight };
    return this.#ranking.rank(query, documents.map(textOf), { ...call, ...retrieval });
  }
}

/** A copy, without holes. */
function listOf<T>(documents: readonly T[]): T[] {
  if (Array.isArray(documents)) return Array.from(documents);
  throw new RerankError("INPUT_INVALID", `The documents must be an array, got ${show(documents)}.`);
}

function textOf(document: Rerankable, index: number): string {
  const { pageContent, text = pageContent } =
    typeof document === "string" ? { pageContent: document } : (document ?? {});
  if (typeof text === "string") return text;
  throw new RerankError("INPUT_INVALID", `Document ${index} has no text in pageContent or text: ${show(document)}.`);
}

function scoresOf(documents: readonly Rerankable[], key: string): number[] {
  return documents.map((document, index) => {
    const { metadata } = (document ?? {}) as { metadata?: Record<string, unknown> | null };
    const score = metadata?.[key];
    if (typeof score === "number") return score;
    throw new RerankError(
      "INPUT_INVALID",
      `Document ${index} has no retrieval score: metadata.${key} (retrievalScoreKey) is ${show(score)}, not a number.`,
    );
  });
}
