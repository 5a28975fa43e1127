// Compiled in a consumer project, never run: every entry point as a strict TypeScript user writes it.
import type { BaseDocumentCompressor } from "@langchain/core/retrievers/document_compressors";
import { rerank } from "ai";
import {
  loadReranker,
  type RankedDocument,
  RerankError,
  type RerankErrorCode,
  type Reranker,
  type RerankerOptions,
  remoteReranker,
  sharedReranker,
} from "bge-reranker";
import { bgeReranker } from "bge-reranker/ai-sdk";
import { BgeReranker } from "bge-reranker/langchain";
import { BgeRerankerPostprocessor } from "bge-reranker/llamaindex";
import type { BaseNodePostprocessor } from "llamaindex";

const options: RerankerOptions = { device: "cuda:1", dtype: "fp32", overflow: "max-passage" };
export const rerankers: Reranker[] = [
  await loadReranker("mini", options),
  sharedReranker(),
  remoteReranker({ url: "http://127.0.0.1:8080" }),
];

// @ts-expect-error a device that does not exist
await loadReranker("mini", { device: "gpu" });

const documents = [{ id: 1, text: "one" }];
const ranked: RankedDocument<{ id: number; text: string }>[] = await rerankers[0]!.rank("query", documents, {
  topN: 1,
});
export const id: number | undefined = ranked[0]?.document.id;
export const one: number = await rerankers[0]!.computeScore(["query", "passage"]);
export const many: number[] = await rerankers[0]!.computeScore([["query", "passage"]]);

export function code(error: unknown): RerankErrorCode | undefined {
  return error instanceof RerankError ? error.code : undefined;
}

export const compressor: BaseDocumentCompressor = new BgeReranker({ model: "mini", topN: 3 });
export const postprocessor: BaseNodePostprocessor = new BgeRerankerPostprocessor({ model: "mini", topN: 3 });
export const reranking = await rerank({ model: bgeReranker({ model: "mini" }), query: "query", documents: ["one"] });
