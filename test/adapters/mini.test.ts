import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ContextualCompressionRetriever } from "@langchain/classic/retrievers/contextual_compression";
import { MemoryVectorStore } from "@langchain/classic/vectorstores/memory";
import { Document as LangChainDocument } from "@langchain/core/documents";
import { Embeddings } from "@langchain/core/embeddings";
import { rerank } from "ai";
import { Document, Settings, VectorStoreIndex } from "llamaindex";
import { bgeReranker } from "../../src/adapters/ai-sdk.js";
import { BgeReranker } from "../../src/adapters/langchain.js";
import { BgeRerankerPostprocessor } from "../../src/adapters/llamaindex.js";
import { embedWords } from "../support/embeddings.js";
import { EchoLLM, WordEmbedding } from "../support/llamaindex.js";
import { enginesStarted, workersRunning } from "../support/workers.js";

const QUESTION = "How many bicycles were stolen in the city last year?";
const TEXTS = [
  "The city has four hundred kilometres of bicycle lanes, most of them beside main roads.",
  "Bakers get up early, because bread is best when it is fresh.",
  "The police counted 4,120 bicycles stolen in the city last year, fewer than before.",
  "The museum shows paintings of the last century on two floors.",
];
const ANSWER = TEXTS[2]!;

describe("the adapters with the embedded model", () => {
  const options = { model: "mini", device: "cpu" } as const;
  const langchain = new BgeReranker({ ...options, topN: 1 });
  const llamaindex = new BgeRerankerPostprocessor({ ...options, topN: 1 });
  const aiSdk = bgeReranker(options);

  it("start nothing before they are used", () => {
    assert.equal(enginesStarted(), 0);
  });

  it("share one engine, however many load at once", async () => {
    await Promise.all([langchain.load(), llamaindex.load(), aiSdk.load()]);
    assert.equal(enginesStarted(), 1);
  });

  it("find the answer in a LangChain vector store", async () => {
    const documents = TEXTS.map((pageContent) => new LangChainDocument({ pageContent }));
    const store = await MemoryVectorStore.fromDocuments(documents, new WordEmbeddings());
    const baseRetriever = store.asRetriever(TEXTS.length);
    const retriever = new ContextualCompressionRetriever({ baseRetriever, baseCompressor: langchain });
    const [best, ...rest] = await retriever.invoke(QUESTION);
    assert.equal(best!.pageContent, ANSWER);
    assert.ok(best!.metadata.relevanceScore > 0 && best!.metadata.relevanceScore < 1);
    assert.deepEqual(rest, []);
  });

  it("give a LlamaIndex query engine the answer to read", async () => {
    const llm = new EchoLLM();
    Settings.llm = llm;
    Settings.embedModel = new WordEmbedding();
    const index = await VectorStoreIndex.fromDocuments(TEXTS.map((text) => new Document({ text })));
    await index.asQueryEngine({ similarityTopK: 4, nodePostprocessors: [llamaindex] }).query({ query: QUESTION });
    assert.ok(llm.prompts[0]!.includes(ANSWER));
    assert.ok(!llm.prompts[0]!.includes(TEXTS[0]!));
  });

  it("rank for the AI SDK", async () => {
    const { ranking, response } = await rerank({ model: aiSdk, query: QUESTION, documents: TEXTS });
    assert.equal(ranking[0]!.document, ANSWER);
    assert.equal(ranking.length, TEXTS.length);
    assert.equal(response.modelId, "mini");
  });

  it("agree, and still run in one engine", async () => {
    const [best] = await langchain.rerank(TEXTS, QUESTION, { topN: 1 });
    const { ranking } = await rerank({ model: aiSdk, query: QUESTION, documents: TEXTS, topN: 1 });
    assert.equal(ranking[0]!.score, best!.relevanceScore);
    assert.equal(enginesStarted(), 1);
  });

  it("keep the engine until the last of them is disposed", async () => {
    await Promise.all([langchain.dispose(), llamaindex.dispose()]);
    await assert.rejects(langchain.rerank(TEXTS, QUESTION), { code: "DISPOSED" });
    assert.equal((await rerank({ model: aiSdk, query: QUESTION, documents: TEXTS })).ranking[0]!.document, ANSWER);
    await aiSdk.dispose();
    assert.equal(workersRunning().length, 0);
  });
});

class WordEmbeddings extends Embeddings {
  constructor() {
    super({});
  }
  override async embedQuery(text: string) {
    return embedWords(text);
  }
  override async embedDocuments(texts: string[]) {
    return texts.map(embedWords);
  }
}
