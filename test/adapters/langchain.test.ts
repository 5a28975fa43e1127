import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ContextualCompressionRetriever } from "@langchain/classic/retrievers/contextual_compression";
import { MultiQueryRetriever } from "@langchain/classic/retrievers/multi_query";
import { ParentDocumentRetriever } from "@langchain/classic/retrievers/parent_document";
import { MemoryVectorStore } from "@langchain/classic/vectorstores/memory";
import { Document } from "@langchain/core/documents";
import { Embeddings } from "@langchain/core/embeddings";
import { StringOutputParser } from "@langchain/core/output_parsers";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { RunnableLambda, RunnableSequence } from "@langchain/core/runnables";
import { InMemoryStore } from "@langchain/core/stores";
import { BaseTracer, type Run } from "@langchain/core/tracers/base";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { RecursiveCharacterTextSplitter } from "@langchain/textsplitters";
import { BgeReranker, type BgeRerankerOptions } from "../../src/adapters/langchain.js";
import { embedWords } from "../support/embeddings.js";
import { startEngine, tei } from "../support/engine-server.js";
import { OverlapReranker } from "../support/overlap.js";

const QUERY = "lamp battery life hours";
const TEXTS = [
  "The lamp comes in red and blue.",
  "The battery life of the lamp is nine hours.",
  "Nothing to see here.",
  "The lamp has a battery.",
];
function makeDocuments(): Document[] {
  return TEXTS.map((pageContent, i) => new Document({ id: `d${i}`, pageContent, metadata: { page: i } }));
}

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

/** Keeps finished root runs, with their children. */
class Recorder extends BaseTracer {
  override name = "recorder";
  override awaitHandlers = true;
  readonly roots: Run[] = [];
  protected override async persistRun(run: Run) {
    this.roots.push(run);
  }
}

describe("BgeReranker.compressDocuments", () => {
  it("returns new documents, best first, with id, metadata and score", async () => {
    const documents = makeDocuments();
    const output = await new BgeReranker({ reranker: new OverlapReranker() }).compressDocuments(documents, QUERY);
    assert.deepEqual(
      output.map(({ id, metadata: { page, relevanceScore } }) => [id, page, relevanceScore.toFixed(9)]),
      [
        ["d1", 1, sigmoid(3).toFixed(9)],
        ["d3", 3, sigmoid(0).toFixed(9)],
        ["d0", 0, sigmoid(-1.5).toFixed(9)],
      ],
    );
    for (const document of output) {
      assert.ok(document instanceof Document);
      assert.ok(!documents.includes(document));
    }
    assert.equal(output[0]!.pageContent, TEXTS[1]);
  });

  it("leaves its input alone", async () => {
    const documents = makeDocuments();
    for (const document of documents) Object.freeze(Object.freeze(document).metadata);
    Object.freeze(documents);
    await new BgeReranker({ reranker: new OverlapReranker() }).compressDocuments(documents, QUERY);
    assert.deepEqual(documents, makeDocuments());
  });

  it("answers no documents with none, without loading", async () => {
    const reranker = new OverlapReranker();
    assert.deepEqual(await new BgeReranker({ reranker }).compressDocuments([], QUERY), []);
    assert.deepEqual(await new BgeReranker({ reranker }).rerank([], QUERY), []);
    assert.equal(reranker.loads + reranker.ranked.length, 0);
  });

  it("honours topN, scoreThreshold, normalize and scoreKey", async () => {
    const run = async (options: Partial<BgeRerankerOptions>) => {
      const reranker = new BgeReranker({ reranker: new OverlapReranker(), ...options } as BgeRerankerOptions);
      return (await reranker.compressDocuments(makeDocuments(), QUERY)).map(({ metadata }) => metadata);
    };
    assert.equal((await run({})).length, 3);
    assert.deepEqual(await run({ topN: 1, normalize: false, scoreKey: "score" }), [{ page: 1, score: 3 }]);
    assert.equal((await run({ topN: 100 })).length, TEXTS.length);
    assert.equal((await run({ scoreThreshold: 0.4 })).length, 2);
    assert.equal((await run({ scoreThreshold: sigmoid(0) })).length, 2);
    assert.deepEqual(await run({ scoreThreshold: 0.999 }), []);
  });

  it("refuses a query or document that is no text", async () => {
    const reranker = new BgeReranker({ reranker: new OverlapReranker() });
    const nothing = undefined as unknown as string;
    await assert.rejects(reranker.compressDocuments(makeDocuments(), nothing), { code: "INPUT_INVALID" });
    await assert.rejects(reranker.rerank([{ body: "x" } as object], QUERY), {
      code: "INPUT_INVALID",
      message: /Document 0 .*{"body":"x"}/,
    });
  });
});

describe("BgeReranker.rerank", () => {
  it("gives index and relevanceScore of strings, documents and records, as CohereRerank does", async () => {
    const reranker = new BgeReranker({ reranker: new OverlapReranker() });
    const mixed = [TEXTS[0]!, makeDocuments()[1]!, { pageContent: TEXTS[2]! }, { text: TEXTS[3]! }];
    assert.deepEqual(await reranker.rerank(mixed, QUERY, { topN: 2 }), [
      { index: 1, relevanceScore: sigmoid(3) },
      { index: 3, relevanceScore: sigmoid(0) },
    ]);
    assert.equal((await reranker.rerank(mixed, QUERY)).length, 3, "the adapter's own topN");
    await assert.rejects(reranker.rerank(mixed, QUERY, { topN: 0 }), { code: "OPTION_INVALID" });
  });
});

describe("options of BgeReranker", () => {
  const reranker = new OverlapReranker();
  for (const [name, options, message] of [
    ["an unknown name", { topK: 3 }, /BgeReranker has no option "topK".*topN/],
    ["topN 0", { topN: 0 }, /topN must be a positive integer, got 0/],
    ["topN 1.5", { topN: 1.5 }, /topN .*got 1.5/],
    ["a text threshold", { scoreThreshold: "0.5" }, /scoreThreshold must be a finite number, got "0.5"/],
    ["a wrong normalize", { normalize: 1 }, /normalize must be true or false, got 1/],
    ["an empty scoreKey", { scoreKey: "" }, /scoreKey must be a non-empty string/],
    ["a wrong dtype", { dtype: "q8" }, /dtype must be one of .*got "q8"/],
    ["a wrong device", { device: "gpu" }, /device must be .*got "gpu"/],
    ["something that is no reranker", { reranker: {} }, /reranker must be a Reranker, .*got {}/],
    ["an empty url", { url: "" }, /url must be an http or https URL, got ""/],
    ["reranker with model", { reranker, model: "mini" }, /the option model does not go with reranker/],
    ["reranker with url", { reranker, url: "http://127.0.0.1:9" }, /the option url does not go with reranker/],
    ["url with device", { url: "http://127.0.0.1:9", device: "cpu" }, /the option device does not go with url/],
    ["a local model with apiKey", { model: "mini", apiKey: "k" }, /the option apiKey does not go with a local model/],
    ["no object", "mini", /takes an object of options, got "mini"/],
  ] as [string, BgeRerankerOptions, RegExp][]) {
    it(`refuse ${name}`, () => {
      assert.throws(() => new BgeReranker(options), { name: "RerankError", code: "OPTION_INVALID", message });
    });
  }

  it("take undefined for not given", () => {
    assert.equal(new BgeReranker({ topN: undefined, reranker, model: undefined }).topN, 3);
  });

  it("need no model to construct", () => {
    const adapter = new BgeReranker();
    assert.equal(adapter.topN, 3);
    assert.equal(adapter.scoreKey, "relevanceScore");
  });
});

describe("lifetime of BgeReranker's reranker", () => {
  it("leaves a given one to the caller", async () => {
    const reranker = new OverlapReranker();
    const adapter = new BgeReranker({ reranker });
    await adapter.load();
    await adapter.dispose();
    assert.deepEqual([reranker.loads, reranker.disposals], [1, 0]);
  });

  it("makes and frees one for an engine by URL", async () => {
    await using server = await startEngine(tei());
    const adapter = new BgeReranker({ url: server.url, maxRetries: 0, topN: 1 });
    const [best] = await adapter.compressDocuments(makeDocuments(), QUERY);
    assert.equal(best!.id, "d1");
    await adapter.dispose();
    await assert.rejects(adapter.compressDocuments(makeDocuments(), QUERY), { code: "DISPOSED" });
  });
});

describe("BgeReranker in LangChain's retrievers and chains", () => {
  const store = () => MemoryVectorStore.fromDocuments(makeDocuments(), new WordEmbeddings());
  const compressor = (topN = 2) => new BgeReranker({ reranker: new OverlapReranker(), topN });

  it("compresses what a vector store finds, and leaves the store's documents alone", async () => {
    const vectorStore = await store();
    const retriever = new ContextualCompressionRetriever({
      baseRetriever: vectorStore.asRetriever(4),
      baseCompressor: compressor(),
    });
    const found = await retriever.invoke(QUERY);
    assert.deepEqual(
      found.map(({ id }) => id),
      ["d1", "d3"],
    );
    assert.equal(found[0]!.metadata.relevanceScore, sigmoid(3));
    const stored = await vectorStore.similaritySearch(QUERY, 4);
    assert.ok(stored.every(({ metadata }) => !("relevanceScore" in metadata)));
  });

  it("reranks the children of ParentDocumentRetriever", async () => {
    const retriever = new ParentDocumentRetriever({
      vectorstore: new MemoryVectorStore(new WordEmbeddings()),
      byteStore: new InMemoryStore<Uint8Array>(),
      childSplitter: new RecursiveCharacterTextSplitter({ chunkSize: 60, chunkOverlap: 0 }),
      childK: 20,
      parentK: 1,
      documentCompressor: compressor(1),
    });
    const manual = `The lamp comes in red and blue.\n\n${TEXTS[1]}\n\nKeep the lamp dry.`;
    await retriever.addDocuments([
      new Document({
        pageContent: "The lamp is a lamp of the lamp kind.\n\nThe lamp of lamps.",
        metadata: { name: "ad" },
      }),
      new Document({ pageContent: manual, metadata: { name: "manual" } }),
    ]);
    const [parent] = await retriever.invoke(QUERY);
    assert.equal(parent!.metadata.name, "manual");
    assert.equal(parent!.pageContent, manual);
  });

  it("reranks the union of MultiQueryRetriever by the user's question", async () => {
    const retriever = MultiQueryRetriever.fromLLM({
      llm: new FakeListChatModel({ responses: ["<questions>\nlamp colours\nbattery hours\nnothing\n</questions>"] }),
      retriever: (await store()).asRetriever(2),
      documentCompressor: compressor(1),
    });
    const [best, ...rest] = await retriever.invoke(QUERY);
    assert.equal(best!.id, "d1");
    assert.deepEqual(rest, []);
  });

  it("feeds the prompt of an LCEL chain", async () => {
    const retriever = new ContextualCompressionRetriever({
      baseRetriever: (await store()).asRetriever(4),
      baseCompressor: compressor(1),
    });
    const recorder = new Recorder();
    const join = (documents: Document[]) => documents.map(({ pageContent }) => pageContent).join("\n");
    const chain = RunnableSequence.from([
      { context: retriever.pipe(join), question: (question: string) => question },
      ChatPromptTemplate.fromTemplate("{context}\n---\n{question}"),
      new FakeListChatModel({ responses: ["Nine hours."] }),
      new StringOutputParser(),
    ]);
    assert.equal(await chain.invoke(QUERY, { callbacks: [recorder] }), "Nine hours.");
    const prompt = find(recorder.roots, "ChatPromptTemplate");
    assert.match(JSON.stringify(prompt.outputs), /nine hours\.\\n---\\nlamp battery life hours/);
    assert.ok(!JSON.stringify(prompt.outputs).includes("red and blue"));
  });
});

describe("tracing of BgeReranker", () => {
  it("shows as a child run with inputs and outputs", async () => {
    const recorder = new Recorder();
    const retriever = new ContextualCompressionRetriever({
      baseRetriever: (await MemoryVectorStore.fromDocuments(makeDocuments(), new WordEmbeddings())).asRetriever(4),
      baseCompressor: new BgeReranker({ reranker: new OverlapReranker(), topN: 1 }),
    });
    await retriever.invoke(QUERY, { callbacks: [recorder] });
    const run = find(recorder.roots, "BgeReranker");
    assert.equal(run.parent_run_id, find(recorder.roots, "ContextualCompressionRetriever").id);
    assert.equal(run.inputs.query, QUERY);
    assert.deepEqual(new Set(run.inputs.documents.map((document: Document) => document.pageContent)), new Set(TEXTS));
    assert.deepEqual(
      run.outputs?.documents.map((document: Document) => [document.id, document.metadata.relevanceScore]),
      [["d1", sigmoid(3)]],
    );
    assert.equal(run.error, undefined);
  });

  it("reports errors to the run", async () => {
    const recorder = new Recorder();
    await using server = await startEngine();
    const adapter = new BgeReranker({ url: server.url, maxRetries: 0 });
    await assert.rejects(adapter.compressDocuments(makeDocuments(), QUERY, [recorder]), { code: "REMOTE_FAILED" });
    assert.match(find(recorder.roots, "BgeReranker").error ?? "", /answered 404/);
  });

  it("joins the run of the chain around it, and stops with it", async () => {
    const recorder = new Recorder();
    const reranker = new OverlapReranker();
    const adapter = new BgeReranker({ reranker });
    const lambda = RunnableLambda.from((query: string) => adapter.compressDocuments(makeDocuments(), query));
    const { signal } = new AbortController();
    await lambda.invoke(QUERY, { callbacks: [recorder], signal });
    const [root] = recorder.roots;
    assert.equal(find(recorder.roots, "BgeReranker").parent_run_id, root!.id);
    assert.ok(reranker.ranked[0]!.options.signal, "the chain's signal reaches the reranker");
  });
});

function find(runs: readonly Run[], name: string): Run {
  const all = runs.flatMap(function flat(run): Run[] {
    return [run, ...run.child_runs.flatMap(flat)];
  });
  const run = all.find((run) => run.name === name);
  assert.ok(run, `no run ${name} among ${all.map((run) => run.name)}`);
  return run;
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
