import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type RemoteOptions, remoteReranker } from "../../src/remote/reranker.js";
import { cohere, type EngineReply, type EngineServer, first, startEngine, tei } from "../support/engine-server.js";
import { ask, assertClose, failed, LOGITS, QUERY, TEXTS } from "../support/remote.js";

describe("finding the API", () => {
  const cases: [string, Parameters<typeof startEngine>, string, Partial<RemoteOptions>, string[]][] = [
    ["TEI's base", [tei()], "", {}, ["/info", "/rerank"]],
    ["TEI's base with a slash", [tei()], "/", {}, ["/info", "/rerank"]],
    ["TEI's full path", [tei()], "/rerank", {}, ["/info", "/rerank"]],
    ["TEI by name", [tei()], "", { api: "tei" }, ["/info", "/rerank"]],
    ["another engine's base", [cohere()], "", {}, ["/info", "/v1/rerank"]],
    ["a base with version 2", [cohere()], "/v2", {}, ["/v2/rerank"]],
    ["a full path with version", [cohere()], "/v2/rerank", {}, ["/v2/rerank"]],
    ["Cohere's shape by name", [cohere()], "", { api: "cohere" }, ["/v1/rerank"]],
    [
      "Infinity's base",
      [cohere({ paths: ["/rerank"], document: "string" })],
      "",
      {},
      ["/info", "/v1/rerank", "/rerank"],
    ],
    ["Infinity's full path", [cohere({ paths: ["/rerank"] })], "/rerank", {}, ["/info", "/rerank"]],
  ];
  for (const [name, responders, path, options, expected] of cases) {
    it(`from ${name}`, async () => {
      await using server = await startEngine(...responders);
      const reranker = ask({ url: server.url + path, ...options });
      assertClose(await reranker.score(QUERY, TEXTS), LOGITS);
      assert.deepEqual(
        server.requests.map(({ path }) => path),
        expected,
      );
      await reranker.score(QUERY, TEXTS);
      assert.deepEqual(server.requests.at(-1)!.path, expected.at(-1));
      assert.equal(server.requests.length, expected.length + 1, "what was found out is remembered");
    });
  }

  it("keeps the base's path and query", async () => {
    await using server = await startEngine(cohere({ paths: ["/gateway/v1/rerank"] }));
    assertClose(await ask({ url: `${server.url}/gateway?key=1`, api: "cohere" }).score(QUERY, TEXTS), LOGITS);
    assert.equal(server.requests[0]!.search, "?key=1");
  });

  it("fails when a gateway says the engine is down, rather than taking it for another", async () => {
    await using server = await startEngine(() => ({ status: 503, body: "warming up" }));
    await assert.rejects(ask({ url: server.url }).load(), failed(/\/info answered 503: warming up/));
  });

  it("tries again after a search that failed", async () => {
    await using server = await startEngine(first("/info", { status: 503 }), tei());
    const reranker = ask({ url: server.url });
    await assert.rejects(reranker.load(), failed(/503/));
    await reranker.load();
    assert.equal(reranker.info?.model, "BAAI/bge-reranker-base");
  });

  it("refuses a TEI that serves an embedding model", async () => {
    const info = { model_id: "BAAI/bge-m3", model_type: { embedding: { pooling: "cls" } }, max_client_batch_size: 32 };
    await using server = await startEngine(first("/info", { body: info }));
    await assert.rejects(ask({ url: server.url }).load(), failed(/embedding model "BAAI\/bge-m3"/));
  });
});

describe("what is sent", () => {
  it("asks TEI for raw scores of cut texts, in batches that /info allows", async () => {
    await using server = await startEngine(tei({ maxBatch: 2 }));
    const texts = Array.from({ length: 5 }, (_, i) => `text ${i}`);
    await ask({ url: server.url }).score(QUERY, texts);
    const bodies = server.reranks().map(({ body }) => body);
    assert.deepEqual(bodies.flatMap(({ texts }) => texts).sort(), texts);
    assert.ok(bodies.every(({ texts }) => texts.length <= 2));
    for (const { query, raw_scores, truncate } of bodies) {
      assert.deepEqual({ query, raw_scores, truncate }, { query: QUERY, raw_scores: true, truncate: true });
    }
  });

  it("lowers the batch by maxBatch, and never raises it", async () => {
    for (const [maxBatch, requests] of [
      [1, 6],
      [100, 2],
    ] as const) {
      await using server = await startEngine(tei({ maxBatch: 3 }));
      await ask({ url: server.url, maxBatch }).score(QUERY, Array(6).fill("x"));
      assert.equal(server.reranks().length, requests);
    }
  });

  it("sends model, key, headers and further members", async () => {
    await using server = await startEngine(cohere());
    const reranker = ask({
      url: server.url,
      api: "cohere",
      model: "rerank-v3.5",
      apiKey: "secret",
      headers: { "X-Team": "search" },
      body: { truncate_prompt_tokens: 512 },
    });
    await reranker.score(QUERY, TEXTS);
    const [{ headers, body }] = server.reranks() as [EngineServer["requests"][number]];
    assert.equal(headers.authorization, "Bearer secret");
    assert.equal(headers["x-team"], "search");
    assert.deepEqual(body, {
      model: "rerank-v3.5",
      query: QUERY,
      documents: TEXTS,
      return_documents: false,
      truncate_prompt_tokens: 512,
    });
    assert.equal(reranker.info?.model, "rerank-v3.5");
  });
});

describe("what comes back", () => {
  it("is told as info", async () => {
    await using server = await startEngine(tei());
    const reranker = ask({ url: server.url });
    await reranker.load();
    assert.deepEqual(reranker.info, {
      model: "BAAI/bge-reranker-base",
      revision: "2cfc18c9415c912f9d8155881c133215df768a70",
      architecture: "remote",
      device: "remote",
      dtype: "float16",
      maxLength: 512,
    });
  });

  for (const [name, engine] of Object.entries({
    "Cohere and Jina": cohere(),
    vLLM: cohere({ document: "object" }),
    Infinity: cohere({ document: "string" }),
    Voyage: cohere({ list: "data", document: "none" }),
    "score instead of relevance_score": cohere({ key: "score" }),
    "a bare array": first("/rerank", {
      body: [
        { index: 2, relevance_score: 0.5 },
        { index: 0, relevance_score: 1 / (1 + Math.exp(3)) },
        { index: 1, relevance_score: 1 / (1 + Math.exp(-3)) },
      ],
    }),
  })) {
    it(`is understood in the way of ${name}`, async () => {
      await using server = await startEngine(engine);
      const reranker = ask({ url: `${server.url}/v1/rerank` });
      assertClose(await reranker.score(QUERY, TEXTS), LOGITS);
    });
  }

  it("may be logits, when told so", async () => {
    await using server = await startEngine(cohere({ scores: "logit" }));
    const reranker = ask({ url: `${server.url}/v1`, scores: "logit" });
    assertClose(await reranker.score(QUERY, TEXTS), LOGITS);
    const [best] = await reranker.rank(QUERY, TEXTS);
    assertClose([best!.score], [1 / (1 + Math.exp(-3))]);
  });

  it("may not be logits unawares", async () => {
    await using server = await startEngine(cohere({ scores: "logit" }));
    await assert.rejects(ask({ url: `${server.url}/v1` }).rank(QUERY, TEXTS), failed(/the score 3 .*scores: "logit"/));
  });

  const results = (...list: unknown[]) => ({ body: { results: list } });
  const one = { index: 0, relevance_score: 0.5 };
  for (const [name, reply, message] of [
    ["no JSON", { body: "<html>hello</html>" }, /expected a list of results, got "<html>/],
    ["no list", { body: { answer: 42 } }, /expected a list of results, got {"answer":42}/],
    ["null", { body: null }, /expected a list/],
    ["too few results", results(one), /1 results for 2 passages/],
    ["too many results", results(one, { ...one, index: 1 }, { ...one, index: 2 }), /3 results for 2 passages/],
    ["an index twice", results(one, one), /index 0 twice/],
    ["an index out of range", results(one, { ...one, index: 2 }), /valid index, {"index":2/],
    ["a negative index", results(one, { ...one, index: -1 }), /valid index, {"index":-1/],
    ["a fractional index", results(one, { ...one, index: 0.5 }), /valid index/],
    ["no index", results(one, { relevance_score: 1 }), /valid index/],
    ["no score", results(one, { index: 1 }), /no numeric score in {"index":1}/],
    ["a null score", results(one, { index: 1, relevance_score: null }), /no numeric score/],
    [
      "NaN",
      { body: '{"results":[{"index":0,"relevance_score":NaN},{"index":1,"relevance_score":1}]}' },
      /expected a list/,
    ],
    ["results that are no objects", results(0.5, 0.2), /valid index, 0.5/],
  ] as [string, EngineReply, RegExp][]) {
    it(`is refused: ${name}`, async () => {
      await using server = await startEngine(first("/v1/rerank", reply));
      await assert.rejects(ask({ url: `${server.url}/v1` }).rank(QUERY, ["a", "b"]), failed(message));
    });
  }

  for (const [name, reply, message] of [
    ["TEI", { status: 413, body: { error: "too large", error_type: "Validation" } }, /answered 413: too large/],
    ["Cohere", { status: 401, body: { message: "invalid api token" } }, /answered 401: invalid api token/],
    ["vLLM", { status: 404, body: { error: { message: "no such model", code: 404 } } }, /404: no such model/],
    ["Jina", { status: 422, body: { detail: "unknown model" } }, /422: unknown model/],
    ["FastAPI", { status: 422, body: { detail: [{ msg: "field required" }] } }, /422: .*field required/],
    ["a proxy", { status: 500, body: "<h1>oops</h1>" }, /500: <h1>oops/],
    ["a redirect", { status: 301, headers: { location: "http://127.0.0.1:9/" } }, /301: redirects elsewhere/],
  ] as [string, EngineReply, RegExp][]) {
    it(`is passed on when it is an error of ${name}, which is never tried again`, async () => {
      await using server = await startEngine(first("/v1/rerank", reply));
      const reranker = remoteReranker({ url: `${server.url}/v1?key=hidden` });
      await assert.rejects(reranker.score(QUERY, TEXTS), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(!error.message.includes("hidden"), "the query string stays out of messages");
        return true;
      });
      assert.equal(server.requests.length, 1);
    });
  }
});
