import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Document } from "@langchain/core/documents";
import { type NodeWithScore, TextNode } from "llamaindex";
import { BgeReranker, type BgeRerankerOptions } from "../../src/adapters/langchain.js";
import { BgeRerankerPostprocessor } from "../../src/adapters/llamaindex.js";
import { OverlapReranker } from "../support/overlap.js";

const QUERY = "lamp battery";
/** The model likes the last best, the retriever the first. */
const FOUND = [
  ["nothing", 30],
  ["a red lamp", 20],
  ["the battery of the lamp", 10],
] as const;
const TEXTS = FOUND.map(([text]) => text);
const BACKWARDS = TEXTS.toReversed();

describe("BgeReranker with the retriever's scores", () => {
  const documents = FOUND.map(([pageContent, bm25]) => new Document({ pageContent, metadata: { bm25 } }));
  const order = async (options: Partial<BgeRerankerOptions>) => {
    const adapter = new BgeReranker({ reranker: new OverlapReranker(), ...options } as BgeRerankerOptions);
    const found = await adapter.compressDocuments(documents, QUERY);
    assert.ok(found.every(({ metadata }) => typeof metadata.relevanceScore === "number"));
    return found.map(({ pageContent }) => pageContent);
  };

  it("leaves them alone unless told where they are", async () => {
    assert.deepEqual(await order({}), BACKWARDS);
  });

  it("blends them in, by half or by their weight", async () => {
    assert.deepEqual(await order({ retrievalScoreKey: "bm25", retrievalWeight: 0 }), BACKWARDS);
    assert.deepEqual(await order({ retrievalScoreKey: "bm25", retrievalWeight: 0.4 }), BACKWARDS);
    assert.deepEqual(await order({ retrievalScoreKey: "bm25" }), TEXTS, "even: all ties, which keep their order");
    assert.deepEqual(await order({ retrievalScoreKey: "bm25", retrievalWeight: 0.9 }), TEXTS);
  });

  it("refuses documents without one", async () => {
    const message = /Document 0 has no retrieval score: metadata\.score \(retrievalScoreKey\) is undefined/;
    await assert.rejects(order({ retrievalScoreKey: "score" }), { code: "INPUT_INVALID", message });
    const adapter = new BgeReranker({ reranker: new OverlapReranker(), retrievalScoreKey: "bm25" });
    await assert.rejects(adapter.rerank(["text"], QUERY), { code: "INPUT_INVALID" });
  });

  it("refuses a weight outside 0 to 1, or of nothing", () => {
    const reranker = new OverlapReranker();
    for (const options of [{ retrievalScoreKey: "bm25", retrievalWeight: 1.5 }, { retrievalWeight: 0.5 }]) {
      assert.throws(() => new BgeReranker({ reranker, ...options }), { code: "OPTION_INVALID" });
    }
  });
});

describe("BgeRerankerPostprocessor with the nodes' scores", () => {
  const nodes: NodeWithScore[] = FOUND.map(([text, score]) => ({ node: new TextNode({ text }), score }));
  const order = async (retrievalWeight?: number, given = nodes) => {
    const adapter = new BgeRerankerPostprocessor({ reranker: new OverlapReranker(), topN: 3, retrievalWeight });
    return (await adapter.postprocessNodes(given, QUERY)).map(({ node }) => (node as TextNode).text);
  };

  it("blends them in by their weight, and not without one", async () => {
    assert.deepEqual(await order(), BACKWARDS);
    assert.deepEqual(await order(0.1), BACKWARDS);
    assert.deepEqual(await order(0.9), TEXTS);
  });

  it("returns the model's score", async () => {
    const adapter = new BgeRerankerPostprocessor({ reranker: new OverlapReranker(), retrievalWeight: 0.9 });
    const [first] = await adapter.postprocessNodes(nodes, QUERY);
    assert.ok(first!.score! < 0.1);
  });

  it("refuses nodes without a score", async () => {
    const bare = nodes.map(({ node }) => ({ node }));
    await assert.rejects(order(0.5, bare), { code: "INPUT_INVALID", message: /Node 0 came without a score/ });
    assert.equal((await order(undefined, bare)).length, 3);
  });
});
