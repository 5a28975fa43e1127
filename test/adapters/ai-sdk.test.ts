import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RerankingModelV3 } from "@ai-sdk/provider";
import { rerank } from "ai";
import { type BgeRerankerModelOptions, bgeReranker } from "../../src/adapters/ai-sdk.js";
import { startEngine, tei } from "../support/engine-server.js";
import { OverlapReranker } from "../support/overlap.js";

const QUERY = "lamp battery life hours";
const TEXTS = [
  "The lamp comes in red and blue.",
  "The battery life of the lamp is nine hours.",
  "Nothing to see here.",
  "The lamp has a battery.",
];

describe("bgeReranker in the AI SDK's rerank", () => {
  it("is a RerankingModelV3", () => {
    const model: RerankingModelV3 = bgeReranker({ model: "mini" });
    assert.deepEqual([model.specificationVersion, model.provider, model.modelId], ["v3", "bge-reranker", "mini"]);
  });

  it("ranks texts", async () => {
    const { ranking, rerankedDocuments, response } = await rerank({
      model: bgeReranker({ reranker: new OverlapReranker() }),
      query: QUERY,
      documents: TEXTS,
      topN: 2,
    });
    assert.deepEqual(
      ranking.map(({ originalIndex, score }) => [originalIndex, score.toFixed(4)]),
      // sigmoid(3) and sigmoid(0)
      [
        [1, "0.9526"],
        [3, "0.5000"],
      ],
    );
    assert.deepEqual(rerankedDocuments, [TEXTS[1], TEXTS[3]]);
    assert.equal(response.modelId, "overlap", "the model's own name, once it is loaded");
  });

  it("returns all documents without topN", async () => {
    const model = bgeReranker({ reranker: new OverlapReranker() });
    assert.equal((await rerank({ model, query: QUERY, documents: TEXTS })).ranking.length, TEXTS.length);
  });

  it("ranks objects by their JSON text", async () => {
    const reranker = new OverlapReranker();
    const documents = TEXTS.map((body, id) => ({ id, body }));
    const { rerankedDocuments } = await rerank({ model: bgeReranker({ reranker }), query: QUERY, documents, topN: 1 });
    assert.deepEqual(rerankedDocuments, [documents[1]]);
    assert.equal(reranker.ranked[0]!.documents[0], JSON.stringify(documents[0]));
  });

  it("honours normalize and scoreThreshold", async () => {
    const model = bgeReranker({ reranker: new OverlapReranker(), normalize: false, scoreThreshold: 0 });
    const { ranking } = await rerank({ model, query: QUERY, documents: TEXTS });
    assert.deepEqual(
      ranking.map(({ score }) => score),
      [3, 0],
    );
  });

  it("honours the abort signal", async () => {
    const model = bgeReranker({ reranker: new OverlapReranker() });
    const controller = new AbortController();
    const call = model.doRerank({
      documents: { type: "text", values: TEXTS },
      query: QUERY,
      abortSignal: controller.signal,
    });
    controller.abort();
    await assert.rejects(call, { code: "ABORTED" });
  });

  it("warns of headers, which it cannot send", async () => {
    const model = bgeReranker({ reranker: new OverlapReranker() });
    const documents = { type: "text" as const, values: TEXTS };
    assert.deepEqual((await model.doRerank({ documents, query: QUERY })).warnings, []);
    const { warnings } = await model.doRerank({ documents, query: QUERY, headers: { "x-a": "b" } });
    assert.deepEqual(
      warnings.map((warning) => [warning.type, "feature" in warning && warning.feature]),
      [["unsupported", "headers"]],
    );
  });
});

describe("options of bgeReranker", () => {
  for (const [name, options, message] of [
    ["an unknown name", { topK: 3 }, /bgeReranker has no option "topK"/],
    ["topN, which belongs to rerank", { topN: 3 }, /no option "topN"/],
    ["two sources", { url: "http://127.0.0.1:9", reranker: new OverlapReranker() }, /url does not go with reranker/],
  ] as [string, object, RegExp][]) {
    it(`refuse ${name}`, () => {
      assert.throws(() => bgeReranker(options as BgeRerankerModelOptions), { code: "OPTION_INVALID", message });
    });
  }
});

describe("lifetime of bgeReranker's reranker", () => {
  it("leaves a given one to the caller", async () => {
    const reranker = new OverlapReranker();
    const model = bgeReranker({ reranker });
    await model.load();
    await model.dispose();
    assert.deepEqual([reranker.loads, reranker.disposals], [1, 0]);
  });

  it("makes and frees one for an engine by URL", async () => {
    await using server = await startEngine(tei());
    const model = bgeReranker({ url: server.url, maxRetries: 0 });
    const { ranking } = await rerank({ model, query: QUERY, documents: TEXTS, topN: 1 });
    assert.equal(ranking[0]!.originalIndex, 1);
    await model.dispose();
    await assert.rejects(rerank({ model, query: QUERY, documents: TEXTS }), { code: "DISPOSED" });
  });
});
