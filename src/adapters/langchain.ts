import { CallbackManager, type Callbacks } from "@langchain/core/callbacks/manager";
import { Document, type DocumentInterface } from "@langchain/core/documents";
import { BaseDocumentCompressor } from "@langchain/core/retrievers/document_compressors";
import { ensureConfig } from "@langchain/core/runnables";
import { RerankError, show } from "../errors.js";
import type { LoadOptions } from "../types.js";
import { checkOptions, isPositiveInteger, isText } from "../validate.js";
import { type AdapterRankOptions, type AdapterReranker, makeReranker, type RerankerSource } from "./source.js";

/** Options of {@link BgeReranker}: where scores come from, and what becomes of them. */
export type BgeRerankerOptions = RerankerSource &
  AdapterRankOptions & {
    /** Documents to return at most. @default 3 */
    topN?: number;
    /** Key of the score in the metadata of returned documents. @default "relevanceScore" */
    scoreKey?: string;
  };

/** A document with `pageContent`, a record with `pageContent` or `text`, or the text itself. */
type Rerankable = string | { readonly pageContent?: unknown; readonly text?: unknown };

/**
 * A LangChain.js document compressor that keeps the documents a cross-encoder finds most relevant, best first.
 * The model loads on first use.
 *
 * @throws RerankError `OPTION_INVALID`
 */
export class BgeReranker extends BaseDocumentCompressor {
  readonly topN: number;
  readonly scoreKey: string;
  readonly #ranking: AdapterRankOptions;
  readonly #made: AdapterReranker;

  constructor(options: BgeRerankerOptions = {}) {
    super();
    this.#made = makeReranker("BgeReranker", options, { topN: isPositiveInteger, scoreKey: isText });
    this.topN = options.topN ?? 3;
    this.scoreKey = options.scoreKey ?? "relevanceScore";
    this.#ranking = { scoreThreshold: options.scoreThreshold, normalize: options.normalize };
  }

  /** New documents, id and metadata kept and the score added; the given ones stay as they are. */
  override async compressDocuments(
    documents: DocumentInterface[],
    query: string,
    callbacks?: Callbacks,
  ): Promise<Document[]> {
    if (documents.length === 0) return [];
    const given = [...documents];
    // Inside an LCEL chain the config says who our parent run is, and when to stop.
    const config = ensureConfig();
    const manager = CallbackManager.configure(callbacks ?? config.callbacks);
    const serialized = { lc: 1, type: "not_implemented" as const, id: ["bge-reranker", "BgeReranker"] };
    const run = await manager?.handleChainStart(serialized, { query, documents: given });
    try {
      const ranked = await this.#rank(given, query, this.topN, config.signal);
      const output = ranked.map(({ index, relevanceScore }) => {
        const { id, pageContent, metadata } = given[index]!;
        return new Document({ id, pageContent, metadata: { ...metadata, [this.scoreKey]: relevanceScore } });
      });
      await run?.handleChainEnd({ documents: output });
      return output;
    } catch (error) {
      await run?.handleChainError(error);
      throw error;
    }
  }

  /** Positions and scores of the best documents, best first, as `CohereRerank` gives them. */
  async rerank(
    documents: readonly Rerankable[],
    query: string,
    options: { topN?: number } = {},
  ): Promise<{ index: number; relevanceScore: number }[]> {
    checkOptions("rerank", options, { topN: isPositiveInteger });
    return documents.length === 0 ? [] : this.#rank(documents, query, options.topN ?? this.topN);
  }

  /** Load the model now instead of on first use. */
  load(options?: LoadOptions): Promise<void> {
    return this.#made.reranker.load(options);
  }

  /** Free the model, unless it came in as `reranker` or another adapter uses it. */
  dispose(): Promise<void> {
    return this.#made.dispose();
  }

  async #rank(documents: readonly Rerankable[], query: string, topN: number, signal?: AbortSignal) {
    const ranked = await this.#made.reranker.rank(query, documents.map(textOf), { ...this.#ranking, topN, signal });
    return ranked.map(({ index, score }) => ({ index, relevanceScore: score }));
  }
}

function textOf(document: Rerankable, index: number): string {
  const { pageContent, text = pageContent } = typeof document === "string" ? { pageContent: document } : document;
  if (typeof text === "string") return text;
  throw new RerankError("INPUT_INVALID", `Document ${index} has no text in pageContent or text: ${show(document)}.`);
}
