import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { type RemoteOptions, remoteReranker } from "../src/remote.js";
import { describeReranker } from "./support/conformance.js";
import { cohere, type EngineReply, type EngineServer, first, startEngine, tei } from "./support/engine-server.js";
import { overlapLogit } from "./support/overlap.js";

const QUERY = "red apple";
const TEXTS = ["a green pear", "a red apple", "a red car"];
const LOGITS = [-3, 3, 0]; // none, all and half of the query's words

const failed = (message: RegExp) => ({ name: "RerankError", code: "REMOTE_FAILED", message });
const ask = (options: RemoteOptions) => remoteReranker({ maxRetries: 0, ...options });

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

describe("trouble", () => {
  const now = { "retry-after": "0" };

  for (const status of [429, 502, 503, 504]) {
    it(`tries again after ${status}`, async () => {
      await using server = await startEngine(first("/rerank", { status, headers: now }), cohere());
      assertClose(await remoteReranker({ url: `${server.url}/v1` }).score(QUERY, TEXTS), LOGITS);
      assert.equal(server.requests.length, 2);
    });
  }

  it("tries again after a broken connection", async () => {
    await using server = await startEngine(first("/rerank", { cut: true }, { cut: true }), cohere());
    assertClose(await remoteReranker({ url: `${server.url}/v1` }).score(QUERY, TEXTS), LOGITS);
    assert.equal(server.requests.length, 3);
  });

  it("gives up after maxRetries and says what was answered", async () => {
    const busy = { status: 429, headers: now, body: { error: "Model is overloaded", error_type: "Overloaded" } };
    await using server = await startEngine(() => busy);
    const reranker = remoteReranker({ url: `${server.url}/v1`, maxRetries: 2 });
    await assert.rejects(reranker.score(QUERY, TEXTS), failed(/answered 429: Model is overloaded/));
    assert.equal(server.requests.length, 3);
  });

  it("waits as long as Retry-After says, in seconds or until a date", async () => {
    // A date has no fractions of a second.
    for (const soon of [() => "1", () => new Date(Date.now() + 2000).toUTCString()]) {
      const value = soon();
      await using server = await startEngine(
        first("/rerank", { status: 503, headers: { "retry-after": value } }),
        cohere(),
      );
      const start = performance.now();
      await remoteReranker({ url: `${server.url}/v1` }).score(QUERY, TEXTS);
      const waited = performance.now() - start;
      assert.ok(waited > 900 && waited < 5000, `waited ${waited} ms`);
    }
  });

  it("does not wait for an hour", async () => {
    await using server = await startEngine(() => ({ status: 429, headers: { "retry-after": "3600" } }));
    await assert.rejects(
      remoteReranker({ url: `${server.url}/v1` }).score(QUERY, TEXTS),
      failed(/asks to wait 3600 s \(Retry-After\)/),
    );
  });

  it("names the address and the reason when nobody listens", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as { port: number };
    closed.close();
    await assert.rejects(
      remoteReranker({ url: `http://127.0.0.1:${port}`, maxRetries: 1 }).load(),
      failed(/127\.0\.0\.1:\d+\/info in 2 attempts: .*ECONNREFUSED/),
    );
  });

  it("stops at the time limit, without another try", async () => {
    await using server = await startEngine(first("/rerank", { delay: 5000 }), cohere());
    const reranker = remoteReranker({ url: `${server.url}/v1`, timeout: 50 });
    await assert.rejects(reranker.score(QUERY, TEXTS), failed(/No answer from .* in 50 ms/));
    assert.equal(server.requests.length, 1);
  });

  it("aborts a wait between two attempts", async () => {
    await using server = await startEngine(() => ({ status: 503, headers: { "retry-after": "30" } }));
    const controller = new AbortController();
    const call = remoteReranker({ url: `${server.url}/v1` }).score(QUERY, TEXTS, { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await assert.rejects(call, { code: "ABORTED" });
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
});

describe("options of remoteReranker", () => {
  const url = "http://127.0.0.1:9";
  for (const [name, options, message] of [
    ["no options", undefined, /url must be an http or https URL, got undefined/],
    ["no url", {}, /url must be an http or https URL, got undefined/],
    ["a url without scheme", { url: "localhost:8080" }, /got "localhost:8080"/],
    ["another scheme", { url: "ftp://example.org" }, /got "ftp:/],
    ["a password in the url", { url: "http://me:topsecret@127.0.0.1" }, /use apiKey or headers/],
    ["an unknown option", { url, topK: 3 }, /no option "topK"/],
    ["an unknown api", { url, api: "openai" }, /api must be one of .*"cohere", got "openai"/],
    ["kserve, which is not there yet", { url, api: "kserve" }, /not supported yet/],
    ["a timeout of 0", { url, timeout: 0 }, /timeout must be an integer from 1/],
    ["a timeout that overflows a timer", { url, timeout: 2 ** 31 }, /timeout must be/],
    ["negative retries", { url, maxRetries: -1 }, /maxRetries must be an integer from 0 up, got -1/],
    ["a batch of 0", { url, maxBatch: 0 }, /maxBatch must be a positive integer, got 0/],
    ["no concurrency", { url, concurrency: 0 }, /concurrency must be a positive integer/],
    ["an empty key", { url, apiKey: "" }, /apiKey must be a non-empty string/],
    ["unknown scores", { url, scores: "softmax" }, /scores must be one of "sigmoid", "logit", got "softmax"/],
    ["headers that are no object", { url, headers: ["a"] }, /headers must be an object/],
    ["a header that is none", { url, headers: { "x-key": "top\nsecret" } }, /headers has no valid value for "x-key"/],
  ] as [string, unknown, RegExp][]) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => remoteReranker(options as RemoteOptions),
        (error: Error) => {
          assert.match(error.message, message);
          assert.ok(!error.message.includes("secret"));
          return "code" in error && error.code === "OPTION_INVALID";
        },
      );
    });
  }

  it("takes a URL object and zero retries", () => {
    remoteReranker({ url: new URL(url), maxRetries: 0, apiKey: undefined });
  });
});

function assertClose(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [place, value] of actual.entries()) {
    assert.ok(Math.abs(value - expected[place]!) < 1e-9, `${value} is not ${expected[place]} at ${place}`);
  }
}
