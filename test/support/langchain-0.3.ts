// Run by test/adapters/langchain-0.3.test.ts in a process of its own, with @langchain/core 0.3: prints what it found.
import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import type { CallbackManagerForRetrieverRun } from "@langchain/core/callbacks/manager";
import { Document } from "@langchain/core/documents";
import { BaseRetriever } from "@langchain/core/retrievers";
import { BaseDocumentCompressor } from "@langchain/core/retrievers/document_compressors";
import { RunnableLambda } from "@langchain/core/runnables";
import { BgeReranker } from "../../src/adapters/langchain.js";
import { OverlapReranker } from "./overlap.js";

const documents = ["a green pear", "a red apple", "a red car"].map(
  (pageContent, i) => new Document({ id: `d${i}`, pageContent, metadata: { page: i } }),
);

const reranker = new BgeReranker({ reranker: new OverlapReranker(), topN: 2 });

/** What ContextualCompressionRetriever of langchain 0.3 does; that of @langchain/classic needs core 1.x. */
class Compressing extends BaseRetriever {
  lc_namespace = ["test"];
  override async _getRelevantDocuments(query: string, run?: CallbackManagerForRetrieverRun) {
    return reranker.compressDocuments(documents, query, run?.getChild("base_compressor"));
  }
}

const events: string[] = [];
class Handler extends BaseCallbackHandler {
  name = "handler";
  override awaitHandlers = true;
  override handleChainStart(chain: { id: string[] }, inputs: { query: string }) {
    events.push(`start ${chain.id.at(-1)} ${inputs.query}`);
  }
  override handleChainEnd(outputs: { documents?: Document[] }) {
    events.push(`end ${outputs.documents?.map(({ id }) => id)}`);
  }
}

const found = await new Compressing().invoke("red apple", { callbacks: [new Handler()] });
const chained = await RunnableLambda.from(() => reranker.compressDocuments(documents, "green pear")).invoke("");

console.log(
  JSON.stringify({
    core: import.meta.resolve("@langchain/core/documents"),
    sameBase: reranker instanceof BaseDocumentCompressor,
    sameDocument: found.every((document) => document instanceof Document),
    found: found.map(({ id, metadata }) => [id, metadata.page, metadata.relevanceScore.toFixed(4)]),
    chained: chained.map(({ id }) => id),
    untouched: documents.every(({ metadata }) => Object.keys(metadata).length === 1),
    events,
  }),
);
