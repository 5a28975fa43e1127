// LlamaIndex: a reranker as the node postprocessor of a query engine.

import { BgeRerankerPostprocessor } from "bge-reranker/llamaindex";
import { RetrieverQueryEngine, Settings } from "llamaindex";
import { endpointFromEnvironment } from "./support/chat-model.js";
import { EndpointLLM } from "./support/endpoint-llm.js";
import { Bm25Retriever } from "./support/llamaindex-bm25.js";
import { exampleDocs, loadSections } from "./support/sections.js";
import "./support/process.js";

const endpoint = endpointFromEnvironment();
Settings.llm = new EndpointLLM(endpoint ?? { url: "http://127.0.0.1:11434/v1", model: "none", key: undefined });

const retriever = new Bm25Retriever(await loadSections(exampleDocs));
const reranker = new BgeRerankerPostprocessor({ model: "mini", topN: 3 });
const engine = new RetrieverQueryEngine(retriever, undefined, [reranker]);

const question = process.argv[2] ?? "What happens to my backups when I lose the passphrase?";
console.log(`${question}\n\nThe sections that the language model gets to read:`);
for (const { node, score } of await engine.retrieve(question)) {
  console.log(`  ${score?.toFixed(3)}  ${node.metadata.title}`);
}

if (endpoint) console.log(`\n${await engine.query({ query: question })}`);
else console.log("\nSet OPENAI_BASE_URL or OLLAMA_HOST to have the question answered from them.");

await reranker.dispose();
