// LangChain: put a reranker behind any retriever with ContextualCompressionRetriever.
import { ContextualCompressionRetriever } from "@langchain/classic/retrievers/contextual_compression";
import { BgeReranker } from "bge-reranker/langchain";
import { Bm25Retriever } from "./support/langchain-bm25.js";
import { exampleDocs, loadSections } from "./support/sections.js";
import "./support/process.js";

const baseRetriever = new Bm25Retriever(await loadSections(exampleDocs));
const baseCompressor = new BgeReranker({ model: "mini", topN: 3 });
const retriever = new ContextualCompressionRetriever({ baseRetriever, baseCompressor });

const question = process.argv[2] ?? "How do I move the box to a new office?";
const before = await baseRetriever.invoke(question);
const after = await retriever.invoke(question);

console.log(`${question}\n\nBM25 found ${before.length} sections; the reranker keeps:`);
for (const { id, metadata } of after) {
  const place = before.findIndex((document) => document.id === id) + 1;
  console.log(`  ${metadata.relevanceScore.toFixed(3)}  ${metadata.title}  (was number ${place})`);
}

await baseCompressor.dispose();
