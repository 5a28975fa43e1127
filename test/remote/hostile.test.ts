import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { createGzip } from "node:zlib";
import { type RemoteOptions, remoteReranker } from "../../src/remote/reranker.js";
import { cohere, first, startEngine } from "../support/engine-server.js";
import { assertClose, failed, LOGITS, QUERY, TEXTS } from "../support/remote.js";

/** A server that answers every request by itself, and counts them. */
async function startServer(answer: (response: ServerResponse) => void) {
  const server = createServer((request, response) => {
    found.requests++;
    request.resume().on("end", () => answer(response));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const found = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return found;
}

/** Writes for as long as somebody reads, at most a gigabyte. */
function pour(stream: NodeJS.WritableStream, left = 2 ** 30): void {
  const block = Buffer.alloc(2 ** 20, "[");
  const more = () => {
    for (; left > 0; left -= block.length) if (!stream.write(block)) return;
    stream.end();
  };
  stream.on("drain", more).on("error", () => {});
  more();
}

/** Largest growth in bytes of this process's memory while `work` runs. */
async function growth(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 5);
  await work().finally(() => clearInterval(timer));
  return most - before;
}

describe("an answer without end", () => {
  for (const [name, answer] of Object.entries({
    "of plain bytes": (response: ServerResponse) => pour(response.writeHead(200)),
    "of plain bytes, as an error": (response: ServerResponse) => pour(response.writeHead(400)),
    "packed in gzip": (response: ServerResponse) => {
      const gzip = createGzip({ level: 9 });
      gzip.pipe(response.writeHead(200, { "content-encoding": "gzip" }));
      pour(gzip);
    },
  })) {
    it(`${name} is not read, nor asked for again`, async () => {
      await using server = await startServer(answer);
      const reranker = remoteReranker({ url: server.url });
      const grown = await growth(async () => {
        await assert.rejects(reranker.score(QUERY, TEXTS), failed(/answered (400: \[\[|with more than \d+ bytes)/));
      });
      // The server is a part of this process: a good deal of it is the server's.
      assert.ok(grown < 160 * 2 ** 20, `${grown} bytes`);
      assert.equal(server.requests, 1);
    });
  }

  it("leaves room for what engines send that return the passages", async () => {
    await using server = await startEngine(cohere({ document: "object" }));
    const long = TEXTS.map((text) => `${text} ${"\u0001".repeat(2 ** 20)}`);
    assertClose(await remoteReranker({ url: `${server.url}/v1` }).score(QUERY, long), LOGITS);
  });
});

describe("secrets", () => {
  const key = "sk-123456789";
  const header = "very-hidden-value";
  const options = (url: string): RemoteOptions => ({
    url: `${url}/v1?sig=in-the-query`,
    apiKey: key,
    headers: { "x-other": header },
    maxRetries: 0,
  });
  const echo = `you sent ${key}, ${header} and in-the-query`;
  for (const [name, reply] of Object.entries({
    "in an error's text": { status: 401, body: { error: echo } },
    "in an error's text, where it is cut": { status: 401, body: { error: `${"x".repeat(295)}${key}` } },
    "in an error of another form": { status: 400, body: { told: [echo] } },
    "in an answer that is none": { body: { results: echo } },
    "in an answer that is none, where it is cut": { body: { results: `${"x".repeat(60)}${key}` } },
    "in a result without a score": { body: { results: [echo, { index: 1 }, 2].map((index) => ({ index })) } },
  })) {
    it(`that come back ${name} are told to nobody`, async () => {
      await using server = await startEngine(first("/rerank", reply));
      await assert.rejects(remoteReranker(options(server.url)).score(QUERY, TEXTS), (error) => {
        assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /sk-1|very-hid|in-the-q/);
        return failed(/./).code === (error as { code?: string }).code;
      });
    });
  }

  it("are no reason to change an answer that is understood", async () => {
    await using server = await startEngine(cohere());
    const reranker = remoteReranker({ url: `${server.url}/v1`, apiKey: "index", headers: { "x-a": "0.952574126" } });
    assertClose(await reranker.score(QUERY, TEXTS), LOGITS);
  });
});
