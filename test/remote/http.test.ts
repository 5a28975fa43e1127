import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { remoteReranker } from "../../src/remote/reranker.js";
import { cohere, first, startEngine } from "../support/engine-server.js";
import { assertClose, failed, LOGITS, QUERY, TEXTS } from "../support/remote.js";

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

  it("waits as long as Retry-After says", async () => {
    await using server = await startEngine(
      first("/rerank", { status: 503, headers: { "retry-after": "0.4" } }),
      cohere(),
    );
    const start = performance.now();
    await remoteReranker({ url: `${server.url}/v1` }).score(QUERY, TEXTS);
    assert.ok(performance.now() - start > 390);
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
    const reranker = remoteReranker({ url: `${server.url}/v1`, timeout: 300 });
    await assert.rejects(reranker.score(QUERY, TEXTS), failed(/No answer from .* in 300 ms/));
    assert.equal(server.requests.length, 1);
  });

  it("aborts a wait between two attempts", async () => {
    await using server = await startEngine(() => ({ status: 503, headers: { "retry-after": "30" } }));
    const controller = new AbortController();
    const call = remoteReranker({ url: `${server.url}/v1` }).score(QUERY, TEXTS, { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await assert.rejects(call, { code: "ABORTED" });
  });
});
