import type { RerankingModelV3 } from "@ai-sdk/provider";
import type { BaseDocumentCompressor } from "@langchain/core/retrievers/document_compressors";
import type { BaseNodePostprocessor } from "llamaindex";
import { type BgeRerankerModel, bgeReranker } from "../../src/adapters/ai-sdk.js";
import { BgeReranker } from "../../src/adapters/langchain.js";
import { BgeRerankerPostprocessor } from "../../src/adapters/llamaindex.js";
import type { Reranker } from "../../src/types.js";

/** Never called: that it compiles is the test, since an expectation of an error without one is an error. */
export function options(reranker: Reranker): void {
  new BgeReranker();
  new BgeReranker({ model: "mini", device: "webgpu:1", dtype: "fp32", topN: 5, scoreThreshold: 0.2, scoreKey: "s" });
  new BgeReranker({ url: new URL("http://127.0.0.1:8080"), model: "m", apiKey: "k", normalize: false });
  new BgeRerankerPostprocessor({ reranker, metadataMode: "NONE", keepRetrievalScore: true });
  bgeReranker({ reranker, scoreThreshold: 0.2 });

  // @ts-expect-error: unknown option
  new BgeReranker({ topK: 3 });
  // @ts-expect-error: two sources
  new BgeReranker({ reranker, model: "mini" });
  // @ts-expect-error: two sources
  new BgeReranker({ reranker, url: "http://127.0.0.1:8080" });
  // @ts-expect-error: no such device
  new BgeReranker({ device: "gpu" });
  // @ts-expect-error: LangChain's option
  new BgeRerankerPostprocessor({ scoreKey: "s" });
  // @ts-expect-error: no such mode
  new BgeRerankerPostprocessor({ metadataMode: "embed" });
  // @ts-expect-error: rerank's own option
  bgeReranker({ topN: 3 });
}

/** What the frameworks ask for. */
export function contracts(
  compressor: BgeReranker,
  postprocessor: BgeRerankerPostprocessor,
  model: BgeRerankerModel,
): [BaseDocumentCompressor, BaseNodePostprocessor, RerankingModelV3] {
  return [compressor, postprocessor, model];
}
