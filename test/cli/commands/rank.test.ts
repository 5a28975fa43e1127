import assert from "node:assert/strict";
import { test } from "node:test";
import { runCli } from "../../../src/cli/cli.js";
import { cohere, startEngine, tei } from "../../support/engine-server.js";
import { fakeIo } from "../../support/io.js";

const input = "a green pear\na red apple\na red car\n";

test("rank --url: an engine elsewhere scores, and the key comes from the environment", async () => {
  await using server = await startEngine(cohere());
  const { io, written } = fakeIo({ input, env: { BGE_RERANKER_API_KEY: "sk-hidden" } });
  const args = ["rank", "-q", "red apple", "--url", `${server.url}/v1`, "--model", "rerank-1", "-n", "2", "--json"];
  assert.equal(await runCli(args, io), 0, written.stderr);
  const lines = written.stdout.trim().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).document.text),
    ["a red apple", "a red car"],
  );
  const [request] = server.reranks();
  assert.deepEqual([request!.headers.authorization, request!.body.model], ["Bearer sk-hidden", "rerank-1"]);
});

test("rank --url: raw scores of Text Embeddings Inference, without a model or a key", async () => {
  await using server = await startEngine(tei());
  const { io, written } = fakeIo({ input });
  assert.equal(await runCli(["rank", "-q", "red apple", "--url", server.url, "--raw"], io), 0, written.stderr);
  assert.match(written.stdout, /^1\t3\t2\ta red apple\n2\t0\t3\ta red car\n3\t-3\t1\ta green pear\n$/);
  assert.equal(server.reranks()[0]!.headers.authorization, undefined);
});

for (const [args, message, code] of [
  [["--device", "cpu"], /--device does not go with --url/, 2],
  [["--offline"], /--offline does not go with --url/, 2],
  [["--url", "localhost:8080"], /url must be an http or https URL/, 2],
  [["--url", "http://me:hidden@127.0.0.1"], /without user and password/, 2],
  [["--url", "http://127.0.0.1:9/v1"], /No answer from http:\/\/127\.0\.0\.1:9\/v1\/rerank .* \[REMOTE_FAILED\]/, 1],
] as [string[], RegExp, number][]) {
  test(`rank --url: ${args.join(" ")}`, async () => {
    const { io, written } = fakeIo({ input });
    assert.equal(await runCli(["rank", "-q", "a", "--url", "http://127.0.0.1:9", ...args], io), code);
    assert.match(written.stderr, message);
    assert.doesNotMatch(written.stderr, /hidden/);
  });
}
