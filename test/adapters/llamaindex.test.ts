import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  CallbackManager,
  ContextChatEngine,
  Document,
  MetadataMode,
  type NodeWithScore,
  RetrieverQueryEngine,
  Settings,
  TextNode,
  VectorStoreIndex,
} from "llamaindex";
import {
  BgeRerankerPostprocessor,
  type BgeRerankerPostprocessorOptions,
  type RerankEndEvent,
  type RerankStartEvent,
} from "../../src/adapters/llamaindex.js";
import { startEngine, tei } from "../support/engine-server.js";
import { EchoLLM, WordEmbedding } from "../support/llamaindex.js";
import { OverlapReranker } from "../support/overlap.js";

const QUERY = "lamp battery life hours";
const TEXTS = [
  "The lamp comes in red and blue.",
  "The battery life of the lamp is nine hours.",
  "Nothing to see here.",
  "The lamp has a battery.",
];
const makeNodes = (): NodeWithScore[] =>
  TEXTS.map((text, i) => ({ node: new TextNode({ id_: `n${i}`, text, metadata: { page: i } }), score: 0.9 - i / 10 }));
const summary = (nodes: NodeWithScore[]) => nodes.map(({ node, score }) => [node.id_, score?.toFixed(4)]);

describe("BgeRerankerPostprocessor.postprocessNodes", () => {
  it("returns new wrappers round the same nodes, best first", async () => {
    const nodes = makeNodes();
    const output = await new BgeRerankerPostprocessor({ reranker: new OverlapReranker() }).postprocessNodes(
      nodes,
      QUERY,
    );
    // sigmoid(3) and sigmoid(0)
    assert.deepEqual(summary(output), [
      ["n1", "0.9526"],
      ["n3", "0.5000"],
    ]);
    assert.equal(output[0]!.node, nodes[1]!.node);
    assert.notEqual(output[0], nodes[1]);
  });

  it("leaves its input alone", async () => {
    for (const keepRetrievalScore of [false, true]) {
      const nodes = makeNodes();
      const before = JSON.stringify(nodes);
      for (const wrapper of nodes) Object.freeze(Object.freeze(wrapper).node.metadata);
      Object.freeze(nodes);
      const postprocessor = new BgeRerankerPostprocessor({ reranker: new OverlapReranker(), keepRetrievalScore });
      await postprocessor.postprocessNodes(nodes, QUERY);
      assert.equal(JSON.stringify(nodes), before);
    }
  });

  it("keeps the retrieval score in a copy of the node when asked", async () => {
    const nodes = makeNodes();
    const postprocessor = new BgeRerankerPostprocessor({ reranker: new OverlapReranker(), keepRetrievalScore: true });
    const [best] = await postprocessor.postprocessNodes(nodes, QUERY);
    assert.notEqual(best!.node, nodes[1]!.node);
    assert.ok(best!.node instanceof TextNode);
    assert.equal(best!.node.id_, "n1");
    assert.deepEqual(best!.node.metadata, { page: 1, retrievalScore: 0.8 });
    assert.equal(best!.node.getContent(MetadataMode.NONE), TEXTS[1]);
    for (const mode of [MetadataMode.EMBED, MetadataMode.LLM]) {
      assert.equal(best!.node.getContent(mode), nodes[1]!.node.getContent(mode), `no number in what ${mode} reads`);
    }
    assert.deepEqual(nodes[1]!.node.metadata, { page: 1 });
  });

  it("answers no nodes with none, without loading or a query", async () => {
    const reranker = new OverlapReranker();
    assert.deepEqual(await new BgeRerankerPostprocessor({ reranker }).postprocessNodes([], QUERY), []);
    assert.deepEqual(await new BgeRerankerPostprocessor({ reranker }).postprocessNodes([]), []);
    assert.equal(reranker.loads + reranker.ranked.length, 0);
  });

  it("honours topN, scoreThreshold and normalize", async () => {
    const run = async (options: Partial<BgeRerankerPostprocessorOptions>) => {
      const all = { reranker: new OverlapReranker(), ...options } as BgeRerankerPostprocessorOptions;
      return summary(await new BgeRerankerPostprocessor(all).postprocessNodes(makeNodes(), QUERY));
    };
    assert.equal((await run({})).length, 2);
    assert.equal((await run({ topN: 100 })).length, TEXTS.length);
    assert.deepEqual(await run({ topN: 1, normalize: false }), [["n1", "3.0000"]]);
    assert.equal((await run({ topN: 4, scoreThreshold: 0.5 })).length, 2);
    assert.deepEqual(await run({ scoreThreshold: 0.99 }), []);
  });

  it("ranks by the text that metadataMode gives", async () => {
    const node = new TextNode({
      text: "body",
      metadata: { title: "a title", secret: "a secret", draft: "a draft" },
      excludedEmbedMetadataKeys: ["secret"],
      excludedLlmMetadataKeys: ["draft"],
    });
    const read = async (metadataMode?: "ALL" | "EMBED" | "LLM" | "NONE") => {
      const reranker = new OverlapReranker();
      await new BgeRerankerPostprocessor({ reranker, metadataMode }).postprocessNodes([{ node }], QUERY);
      return reranker.ranked[0]!.documents[0];
    };
    assert.equal(await read(), node.getContent(MetadataMode.EMBED));
    for (const mode of [MetadataMode.ALL, MetadataMode.EMBED, MetadataMode.LLM, MetadataMode.NONE]) {
      assert.equal(await read(mode), node.getContent(mode));
    }
    assert.equal(await read("NONE"), "body");
    assert.notEqual(await read("LLM"), await read("EMBED"));
  });

  it("reads the text parts of a multi-part query", async () => {
    const reranker = new OverlapReranker();
    await new BgeRerankerPostprocessor({ reranker }).postprocessNodes(makeNodes(), [
      { type: "text", text: "lamp battery" },
      { type: "image_url", image_url: { url: "data:image/png;base64," } },
      { type: "text", text: "life hours" },
    ]);
    assert.equal(reranker.ranked[0]!.query, "lamp battery\n\nlife hours");
  });

  it("refuses a missing, empty or textless query", async () => {
    const postprocessor = new BgeRerankerPostprocessor({ reranker: new OverlapReranker() });
    const image = [{ type: "image_url" as const, image_url: { url: "data:," } }];
    const bundle = { query: QUERY } as unknown as string;
    for (const query of [undefined, "", "  \n", [], image, bundle]) {
      await assert.rejects(postprocessor.postprocessNodes(makeNodes(), query), {
        code: "INPUT_INVALID",
        message: /needs a query with text, got /,
      });
    }
  });
});

describe("options of BgeRerankerPostprocessor", () => {
  const reranker = new OverlapReranker();
  for (const [name, options, message] of [
    ["an unknown name", { topK: 3 }, /BgeRerankerPostprocessor has no option "topK"/],
    ["topN -1", { topN: -1 }, /topN must be a positive integer, got -1/],
    ["an unknown metadataMode", { metadataMode: "embed" }, /metadataMode must be one of "ALL", .*got "embed"/],
    ["a wrong keepRetrievalScore", { keepRetrievalScore: "yes" }, /keepRetrievalScore must be true or false/],
    ["a wrong callbackManager", { callbackManager: {} }, /callbackManager must be a CallbackManager/],
    ["LangChain's scoreKey", { scoreKey: "score" }, /no option "scoreKey"/],
    ["reranker with dtype", { reranker, dtype: "fp32" }, /the option dtype does not go with reranker/],
  ] as [string, BgeRerankerPostprocessorOptions, RegExp][]) {
    it(`refuse ${name}`, () => {
      assert.throws(() => new BgeRerankerPostprocessor(options), { code: "OPTION_INVALID", message });
    });
  }

  it("need no model to construct", () => {
    assert.equal(new BgeRerankerPostprocessor().topN, 2);
  });
});

describe("lifetime of BgeRerankerPostprocessor's reranker", () => {
  it("leaves a given one to the caller", async () => {
    const reranker = new OverlapReranker();
    const adapter = new BgeRerankerPostprocessor({ reranker });
    await adapter.load();
    await adapter.dispose();
    assert.deepEqual([reranker.loads, reranker.disposals], [1, 0]);
  });

  it("makes and frees one for an engine by URL", async () => {
    await using server = await startEngine(tei());
    const adapter = new BgeRerankerPostprocessor({ url: server.url, topN: 1, maxRetries: 0 });
    assert.deepEqual(summary(await adapter.postprocessNodes(makeNodes(), QUERY)), [["n1", "0.9526"]]);
    await adapter.dispose();
    await assert.rejects(adapter.postprocessNodes(makeNodes(), QUERY), { code: "DISPOSED" });
  });
});

describe("events of BgeRerankerPostprocessor", () => {
  it("go to the callback manager, start before end", async () => {
    const callbackManager = new CallbackManager();
    const seen: [string, RerankStartEvent | RerankEndEvent][] = [];
    callbackManager.on("rerank-start", ({ detail }) => seen.push(["start", detail]));
    callbackManager.on("rerank-end", ({ detail }) => seen.push(["end", detail]));
    const nodes = makeNodes();
    const adapter = new BgeRerankerPostprocessor({ reranker: new OverlapReranker(), topN: 1, callbackManager });
    const output = await adapter.postprocessNodes(nodes, QUERY);
    await new Promise(setImmediate);
    const [[first, start], [second, end]] = seen as [[string, RerankStartEvent], [string, RerankEndEvent]];
    assert.deepEqual([first, second, seen.length], ["start", "end", 2]);
    assert.deepEqual(start, { id: start.id, query: QUERY, topN: 1, nodes });
    assert.deepEqual(end, { id: start.id, query: QUERY, nodes: output });
    assert.ok(start.id.length > 0);
  });
});

describe("BgeRerankerPostprocessor in LlamaIndex's engines", () => {
  let index: VectorStoreIndex;
  let llm: EchoLLM;
  const postprocessor = () => new BgeRerankerPostprocessor({ reranker: new OverlapReranker(), topN: 1 });

  before(async () => {
    Settings.embedModel = new WordEmbedding();
    Settings.llm = llm = new EchoLLM();
    index = await VectorStoreIndex.fromDocuments(TEXTS.map((text, i) => new Document({ id_: `doc${i}`, text })));
  });

  const assertOnlyBestReachedTheModel = () => {
    const prompt = llm.prompts.at(-1)!;
    assert.ok(prompt.includes(TEXTS[1]!), prompt);
    for (const other of [0, 2, 3]) assert.ok(!prompt.includes(TEXTS[other]!), prompt);
  };

  it("asQueryEngine", async () => {
    const engine = index.asQueryEngine({ similarityTopK: 4, nodePostprocessors: [postprocessor()] });
    const response = await engine.query({ query: QUERY });
    assert.equal(response.message.content, "Nine hours.");
    assert.deepEqual(
      response.sourceNodes?.map(({ score }) => score?.toFixed(4)),
      ["0.9526"],
    );
    assertOnlyBestReachedTheModel();
  });

  it("asQueryEngine, streaming", async () => {
    const engine = index.asQueryEngine({ similarityTopK: 4, nodePostprocessors: [postprocessor()] });
    let text = "";
    for await (const chunk of await engine.query({ query: QUERY, stream: true })) text += chunk.delta;
    assert.equal(text, "Nine hours.");
    assertOnlyBestReachedTheModel();
  });

  it("RetrieverQueryEngine, with a query in parts", async () => {
    const engine = new RetrieverQueryEngine(index.asRetriever({ similarityTopK: 4 }), undefined, [postprocessor()]);
    const response = await engine.query({ query: { query: [{ type: "text", text: QUERY }] } });
    assert.equal(response.sourceNodes?.length, 1);
    assertOnlyBestReachedTheModel();
  });

  it("ContextChatEngine", async () => {
    const engine = new ContextChatEngine({
      retriever: index.asRetriever({ similarityTopK: 4 }),
      nodePostprocessors: [postprocessor()],
    });
    const response = await engine.chat({ message: QUERY });
    assert.equal(response.message.content, "Nine hours.");
    assert.equal(response.sourceNodes?.length, 1);
    assertOnlyBestReachedTheModel();
  });

  it("asChatEngine", async () => {
    const engine = index.asChatEngine({ similarityTopK: 4, nodePostprocessors: [postprocessor()] });
    await engine.chat({ message: QUERY });
    assertOnlyBestReachedTheModel();
  });

  it("scores the index's nodes without leaving a trace in it", async () => {
    const adapter = new BgeRerankerPostprocessor({ reranker: new OverlapReranker(), keepRetrievalScore: true });
    const retriever = index.asRetriever({ similarityTopK: 4 });
    await adapter.postprocessNodes(await retriever.retrieve(QUERY), QUERY);
    for (const { node } of await retriever.retrieve(QUERY)) assert.ok(!("retrievalScore" in node.metadata));
  });
});

it("the compiled adapter imports llamaindex at no time but compile time", async () => {
  const { readFile } = await import("node:fs/promises");
  const compiled = await readFile(new URL("../../src/adapters/llamaindex.js", import.meta.url), "utf8");
  assert.doesNotMatch(compiled, /(from|import\()\s*["'](llamaindex|@llamaindex)/);
});
