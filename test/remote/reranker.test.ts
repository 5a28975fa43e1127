import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, before, describe, it } from "node:test";
import { remoteReranker } from "../../src/remote/reranker.js";
import { describeReranker } from "../support/conformance.js";
import { cohere, type EngineServer, first, startEngine, tei } from "../support/engine-server.js";
import { overlapLogit } from "../support/overlap.js";
import { ask, assertClose, failed, QUERY, TEXTS } from "../support/remote.js";

for (const [name, responders, options] of [
  ["TEI", [tei({ maxBatch: 7 })], {}],
  ["a Cohere-shaped engine", [cohere()], { maxBatch: 16 }],
] as const) {
  describe(`remoteReranker with ${name}`, () => {
    let server: EngineServer;
    before(async () => {
      server = await startEngine(...responders);
    });
    after(() => server[Symbol.asyncDispose]());
    describeReranker(name, () => remoteReranker({ url: server.url, ...options }));
  });
}

describe("remoteReranker", () => {
  it("groups the pairs of computeScore by query", async () => {
    await using server = await startEngine(tei());
    const pairs = [
      ["red", "red"],
      ["pear", "a pear"],
      ["red", "blue"],
      ["pear", "an apple"],
    ] as const;
    const scores = await ask({ url: server.url }).computeScore(pairs);
    assertClose(
      scores,
      pairs.map(([query, text]) => overlapLogit(query, text)),
    );
    const sent = server.reranks().map(({ body }) => [body.query, body.texts]);
    assert.deepEqual(sent.sort(), [
      ["pear", ["a pear", "an apple"]],
      ["red", ["red", "blue"]],
    ]);
  });

  it("keeps at most `concurrency` requests under way", async () => {
    let open = 0;
    let most = 0;
    await using server = await startEngine((request) => {
      if (request.path !== "/rerank") return tei({ maxBatch: 1 })(request);
      most = Math.max(most, ++open);
      setTimeout(() => open--, 20);
      return { ...tei({ maxBatch: 1 })(request), delay: 20 };
    });
    await ask({ url: server.url, concurrency: 2 }).score(QUERY, Array(8).fill("x"));
    assert.equal(most, 2);
  });

  it("sends nothing before the first call, nor for empty input", async () => {
    await using server = await startEngine(tei());
    const reranker = ask({ url: server.url });
    assert.equal(reranker.info, undefined);
    assert.deepEqual(await reranker.rank(QUERY, []), []);
    assert.equal(server.requests.length, 0);
  });

  it("sends no further batch once one has failed", async () => {
    const answer = cohere();
    await using server = await startEngine(first("/rerank", { status: 400, body: "no" }), (request) => ({
      ...answer(request),
      delay: 30,
    }));
    const reranker = remoteReranker({ url: `${server.url}/v1`, maxBatch: 1, concurrency: 2 });
    await assert.rejects(reranker.score(QUERY, Array(8).fill("x")), failed(/400: no/));
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(server.requests.length, 2);
  });

  it("sends no passages after an abort that came while it looked for the API", async () => {
    const answer = tei();
    await using server = await startEngine((request) => ({ ...answer(request), delay: 50 }));
    const reranker = remoteReranker({ url: server.url });
    const controller = new AbortController();
    const call = reranker.score(QUERY, TEXTS, { signal: controller.signal });
    setTimeout(() => controller.abort(), 10);
    await assert.rejects(call, { code: "ABORTED" });
    await reranker.load();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(
      server.requests.map(({ path }) => path),
      ["/info"],
    );
  });

  it("leaves no listener on the caller's signal", async () => {
    await using server = await startEngine(tei());
    const { signal } = new AbortController();
    await remoteReranker({ url: server.url }).score(QUERY, TEXTS, { signal });
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  it("never turns a saturated sigmoid into an infinite logit", async () => {
    const results = [1, 0, 0.5].map((relevance_score, index) => ({ index, relevance_score }));
    await using server = await startEngine((request) =>
      request.path === "/v1/rerank" ? { body: { results } } : undefined,
    );
    const reranker = ask({ url: `${server.url}/v1` });
    await assert.rejects(reranker.score(QUERY, TEXTS), failed(/score 1, which has lost its logit.*normalize: true/));
    await assert.rejects(reranker.rank(QUERY, TEXTS, { normalize: false }), failed(/lost its logit/));
    assert.deepEqual(await reranker.score(QUERY, TEXTS, { normalize: true }), [1, 0, 0.5]);
    assert.deepEqual(
      (await reranker.rank(QUERY, TEXTS)).map(({ index, score }) => [index, score]),
      [
        [0, 1],
        [2, 0.5],
        [1, 0],
      ],
    );
  });
});
