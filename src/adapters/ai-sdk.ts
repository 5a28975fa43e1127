import { RerankError } from "../errors.js";
import type { LoadOptions } from "../types.js";
import { Ranking, type RankingOptions } from "./ranking.js";
import { makeReranker, type RerankerSource } from "./source.js";

/** Options of {@link bgeReranker}: where scores come from, and what becomes of them. `rerank` itself takes `topN`. */
export type BgeRerankerModelOptions = RerankerSource & RankingOptions;

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
    warnings: ({ type: "unsupported"; feature: string; details: string } | { type: "other"; message: string })[];
  }>;
  /** Load the model now instead of on first use. */
  load(options?: LoadOptions): Promise<void>;
  /** Free the model, unless it came in as `reranker` or another adapter uses it. */
  dispose(): Promise<void>;
}

/**
 * A reranking model for the AI SDK's `rerank({ model, query, documents, topN })`. The model loads on first use.
 * Object documents are ranked by their JSON text. Where `onFailure: "keep-order"` has kept the order, the scores are NaN,
 * since the AI SDK wants numbers, and a warning says so.
 *
 * @throws RerankError `OPTION_INVALID`
 */
export function bgeReranker(options: BgeRerankerModelOptions = {}): BgeRerankerModel {
  const { reranker, name, dispose } = makeReranker("bgeReranker", options);
  const ranking = new Ranking("bgeReranker", reranker, options);
  return {
    specificationVersion: "v3",
    provider: "bge-reranker",
    get modelId() {
      return reranker.info?.model ?? name;
    },
    async doRerank({ documents, query, topN, abortSignal: signal, headers }) {
      const texts = documents.type === "text" ? documents.values : documents.values.map(jsonOf);
      const call = { topN, signal };
      const places = await ranking.orKeepOrder(texts.length, call, () => ranking.rank(query, texts, call));
      const kept = places.some(({ score }) => score === undefined);
      return {
        ranking: places.map(({ index, score = Number.NaN }) => ({ index, relevanceScore: score })),
        warnings: [...(headers ? [unsupportedHeaders] : []), ...(kept ? [keptOrder] : [])],
      };
    },
    load: (options) => reranker.load(options),
    dispose,
  };
}

function jsonOf(value: unknown, index: number): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new RerankError("INPUT_INVALID", `Document ${index} cannot be written as JSON.`, { cause });
  }
}

const keptOrder = {
  type: "other" as const,
  message: "Reranking failed: the documents keep their order, and their scores are NaN.",
};

const unsupportedHeaders = {
  type: "unsupported" as const,
  feature: "headers",
  details: "Give headers to bgeReranker({ url, headers }) instead.",
};
