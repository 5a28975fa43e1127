import type { LoadOptions } from "../types.js";
import { type AdapterRankOptions, makeReranker, type RerankerSource } from "./source.js";

/** Options of {@link bgeReranker}: where scores come from, and what becomes of them. `rerank` itself takes `topN`. */
export type BgeRerankerModelOptions = RerankerSource & AdapterRankOptions;

/** The part of the AI SDK's `RerankingModelV3CallOptions` that matters here. */
export interface RerankCall {
  documents: { type: "text"; values: readonly string[] } | { type: "object"; values: readonly object[] };
  query: string;
  topN?: number | undefined;
  abortSignal?: AbortSignal | undefined;
  headers?: Record<string, string | undefined> | undefined;
}

/** A `RerankingModelV3`, written out so that these types need no package of the AI SDK. */
export interface BgeRerankerModel {
  readonly specificationVersion: "v3";
  readonly provider: string;
  readonly modelId: string;
  doRerank(call: RerankCall): Promise<{
    ranking: { index: number; relevanceScore: number }[];
    warnings: { type: "unsupported"; feature: string; details: string }[];
  }>;
  /** Load the model now instead of on first use. */
  load(options?: LoadOptions): Promise<void>;
  /** Free the model, unless it came in as `reranker` or another adapter uses it. */
  dispose(): Promise<void>;
}

/**
 * A reranking model for the AI SDK's `rerank({ model, query, documents, topN })`. The model loads on first use.
 * Object documents are ranked by their JSON text.
 *
 * @throws RerankError `OPTION_INVALID`
 */
export function bgeReranker(options: BgeRerankerModelOptions = {}): BgeRerankerModel {
  const { reranker, name, dispose } = makeReranker("bgeReranker", options);
  const { scoreThreshold, normalize } = options;
  return {
    specificationVersion: "v3",
    provider: "bge-reranker",
    get modelId() {
      return reranker.info?.model ?? name;
    },
    async doRerank({ documents, query, topN, abortSignal: signal, headers }) {
      const texts =
        documents.type === "text" ? documents.values : documents.values.map((value) => JSON.stringify(value));
      const ranked = await reranker.rank(query, texts, { topN, scoreThreshold, normalize, signal });
      return {
        ranking: ranked.map(({ index, score }) => ({ index, relevanceScore: score })),
        warnings: headers ? [unsupportedHeaders] : [],
      };
    },
    load: (options) => reranker.load(options),
    dispose,
  };
}

const unsupportedHeaders = {
  type: "unsupported" as const,
  feature: "headers",
  details: "Give headers to bgeReranker({ url, headers }) instead.",
};
