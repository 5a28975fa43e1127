import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { mock, test } from "node:test";
import { resolveModel } from "../../../src/engine/resolve-model.js";
import { timing } from "../../../src/model/hub/request.js";
import type { DownloadProgress } from "../../../src/types.js";
import { blobs, contents, expectedContents, hubFixture, MODEL, NEEDED, WEIGHTS } from "../../support/hub-model.js";
import { type Seen, send, sendPart, sha256 } from "../../support/hub-server.js";

const weightsUrl = new RegExp(sha256(WEIGHTS));
const weightRequests = (requests: Seen[]) => requests.filter(({ url }) => weightsUrl.test(url));
const partials = (cacheDir: string) => blobs(cacheDir).filter((name) => name.endsWith(".incomplete"));

test("a connection cut in the middle is resumed where it broke", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 2, (response, request) => sendPart(response, request, WEIGHTS, 150_000, true));
  const { paths } = await resolveModel(MODEL, options);
  assert.deepEqual(contents(paths), expectedContents());
  // What has arrived just before the break may be lost.
  const starts = weightRequests(hub.requests).map(({ headers }) => Number(headers.range?.match(/^bytes=(\d+)-$/)?.[1]));
  const [first = 0, second = 0, third = 0, ...rest] = starts;
  assert.ok(Number.isNaN(first) && second > 64 * 1024 && third > second && third <= 300_000, String(starts));
  assert.deepEqual(rest, []);
  assert.deepEqual(partials(cacheDir), []);
});

test("a hub that ends an answer early without saying how long it is, is resumed too", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 1, (response) => response.writeHead(200).end(WEIGHTS.subarray(0, 1000)));
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  assert.equal(weightRequests(hub.requests)[1]?.headers.range, "bytes=1000-");
});

test("a server that ignores ranges is read from the start", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 1, (response, request) => sendPart(response, request, WEIGHTS, 150_000, true));
  hub.fail("cdn", weightsUrl, 1, (response) => response.writeHead(200).end(WEIGHTS));
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  assert.equal(weightRequests(hub.requests).length, 2);
});

test("a server that answers with another range than was asked for is not believed", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 1, (response, request) => sendPart(response, request, WEIGHTS, 150_000, true));
  hub.fail("cdn", weightsUrl, 1, (response) => {
    response.writeHead(206, { "content-range": `bytes 10-399999/400000` }).end(WEIGHTS.subarray(10));
  });
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  assert.equal(weightRequests(hub.requests)[2]?.headers.range, undefined);
});

test("416 starts over", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 1, (response, request) => sendPart(response, request, WEIGHTS, 150_000, true));
  hub.fail("cdn", weightsUrl, 1, (response) => response.writeHead(416, { "content-range": "bytes */1" }).end());
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  assert.equal(weightRequests(hub.requests)[2]?.headers.range, undefined);
});

test("cuts without end give up after five attempts without progress, and keep what arrived", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 1, (response, request) => sendPart(response, request, WEIGHTS, 100_000, true));
  hub.fail("cdn", weightsUrl, 5, (response) => response.destroy());
  await assert.rejects(resolveModel(MODEL, options), {
    code: "DOWNLOAD_FAILED",
    message: /the connection|no connection/,
  });
  assert.equal(weightRequests(hub.requests).length, 6);
  const kept = partials(cacheDir);
  assert.equal(kept.length, 1);
  const path = join(cacheDir, "models--tester--tiny-reranker", "blobs", kept[0] ?? "");
  assert.deepEqual(readFileSync(path), WEIGHTS.subarray(0, 100_000));

  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  assert.equal(weightRequests(hub.requests).at(-1)?.headers.range, "bytes=100000-");
});

test("silence counts as a broken connection", async (t) => {
  const { hub, options } = await hubFixture(t);
  timing.silence = 150;
  hub.fail("hub", /^\/api/, 1, () => {});
  hub.fail("cdn", weightsUrl, 1, (response, request) => sendPart(response, request, WEIGHTS, 1000, false));
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  assert.equal(weightRequests(hub.requests)[1]?.headers.range, "bytes=1000-");
});

for (const status of [500, 502, 503, 504, 429]) {
  test(`${status} is tried again, on the hub and on the CDN`, async (t) => {
    const { hub, options } = await hubFixture(t);
    for (const server of ["hub", "cdn"] as const) {
      hub.fail(server, /./, 2, (response) => response.writeHead(status).end());
    }
    assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  });
}

test("Retry-After is waited out", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("hub", /^\/api/, 1, (response) => response.writeHead(429, { "retry-after": "0.2" }).end());
  const start = performance.now();
  await resolveModel(MODEL, options);
  assert.ok(performance.now() - start >= 199);
});

test("a Retry-After of an hour is an error that says so", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("hub", /^\/api/, 1, (response) => response.writeHead(429, { "retry-after": "3600" }).end());
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message: /429.*wait 3600 s/ });
  assert.equal(hub.requests.length, 1);
});

test("a page that is no listing is refused", async (t) => {
  const { hub, options } = await hubFixture(t);
  for (const body of ["<html>Log in to this network</html>", "null", "{}", '{"sha":"x","siblings":[]}']) {
    hub.fail("hub", /^\/api/, 5, (response) => response.end(body));
    const message = /did not answer as a model hub does/;
    await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message });
  }
});

const refusals: [status: number, headers: Record<string, string>, token: string, code: string, message: RegExp][] = [
  [
    401,
    { "x-error-code": "GatedRepo" },
    "",
    "DOWNLOAD_FAILED",
    /accept its licence at http.*tiny-reranker; set HF_TOKEN/,
  ],
  [403, { "x-error-code": "GatedRepo" }, "hf_x", "DOWNLOAD_FAILED", /accept its licence.*make sure that the token/],
  [401, {}, "", "DOWNLOAD_FAILED", /HF_TOKEN/],
  [401, { "x-error-code": "RepoNotFound" }, "", "MODEL_NOT_FOUND", /No model "tester\/tiny-reranker".*HF_TOKEN/],
  [404, { "x-error-code": "RepoNotFound" }, "", "MODEL_NOT_FOUND", /No model "tester\/tiny-reranker"/],
  [404, {}, "", "MODEL_NOT_FOUND", /Check the name/],
  [404, { "x-error-code": "RevisionNotFound" }, "", "MODEL_NOT_FOUND", /has no revision "main"/],
  [400, { "x-error-message": "Nonsense" }, "", "DOWNLOAD_FAILED", /answered 400: Nonsense/],
];
for (const [status, headers, token, code, message] of refusals) {
  test(`${status} ${headers["x-error-code"] ?? ""} is ${code} at once`, async (t) => {
    const { hub, options } = await hubFixture(t);
    hub.fail("hub", /^\/api/, 1, (response) => response.writeHead(status, headers).end());
    await assert.rejects(resolveModel(MODEL, { ...options, token }), { name: "RerankError", code, message });
    assert.equal(hub.requests.length, 1);
  });
}

test("a gated file behind a public listing is refused with the remedy", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("hub", /resolve/, 1, (response) => response.writeHead(403, { "x-error-code": "GatedRepo" }).end());
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message: /accept its licence/ });
});

test("a CDN that refuses does not speak of licences", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("cdn", /./, 1, (response) => response.writeHead(403).end());
  await assert.rejects(resolveModel(MODEL, options), (error: Error & { code: string }) => {
    assert.equal(error.code, "DOWNLOAD_FAILED");
    assert.match(error.message, /answered 403/);
    assert.doesNotMatch(error.message, /licence|Signature/);
    return true;
  });
});

test("a revision and a model that do not exist", async (t) => {
  const { options } = await hubFixture(t);
  const code = "MODEL_NOT_FOUND";
  await assert.rejects(resolveModel(MODEL, { ...options, revision: "v9" }), { code, message: /no revision "v9"/ });
  await assert.rejects(resolveModel("tester/absent", options), { code, message: /"tester\/absent"/ });
});

const damaged = Buffer.from(WEIGHTS);
damaged[123_456] = (damaged[123_456] ?? 0) ^ 1;

test("a wrong checksum is fetched again, once, from the start", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 1, (response, request) => send(response, request, damaged));
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  assert.deepEqual(
    weightRequests(hub.requests).map(({ headers }) => headers.range),
    [undefined, undefined],
  );
  assert.deepEqual(partials(cacheDir), []);
});

test("a checksum that stays wrong is an error, and nothing of it is kept", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 99, (response, request) => send(response, request, damaged));
  await assert.rejects(resolveModel(MODEL, options), {
    code: "DOWNLOAD_FAILED",
    message: /model\.safetensors.*checksum/,
  });
  assert.equal(weightRequests(hub.requests).length, 2);
  assert.ok(!blobs(cacheDir).some((name) => weightsUrl.test(name)));
});

test("a small file that is not in LFS is checked as well", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.fail("hub", /resolve.*tokenizer_config/, 99, (response) => response.end('{"model_max_length":33}'));
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message: /tokenizer_config\.json/ });
  assert.equal(blobs(cacheDir).length, 2);
});

test("more bytes than promised are refused", async (t) => {
  const { hub, options } = await hubFixture(t);
  const long = Buffer.concat([WEIGHTS, WEIGHTS]);
  hub.fail("cdn", weightsUrl, 1, (response) => response.writeHead(200).end(long));
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
});

test("abort: ABORTED with the reason, and the next call goes on from there", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 1, (response, request) => sendPart(response, request, WEIGHTS, 150_000, false));
  const controller = new AbortController();
  const onProgress = ({ file, loaded }: DownloadProgress) => {
    if (file === "model.safetensors" && loaded > 0) setTimeout(() => controller.abort(new Error("closed")), 50);
  };
  await assert.rejects(resolveModel(MODEL, { ...options, onProgress, signal: controller.signal }), (error: Error) => {
    assert.equal((error as Error & { code: string }).code, "ABORTED");
    assert.equal((error.cause as Error).message, "closed");
    return true;
  });
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  assert.equal(weightRequests(hub.requests)[1]?.headers.range, "bytes=150000-");
  await assert.rejects(resolveModel(MODEL, { ...options, signal: AbortSignal.abort() }), { code: "ABORTED" });
});

test("abort while waiting to try again", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("hub", /^\/api/, 1, (response) => response.writeHead(429, { "retry-after": "60" }).end());
  const signal = AbortSignal.timeout(50);
  await assert.rejects(resolveModel(MODEL, { ...options, signal }), { code: "ABORTED" });
});

test("a full disk is DOWNLOAD_FAILED with cause and remedy, and what was written serves later", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  const handle = await open(join(cacheDir, "any"), "w");
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  const write = prototype.write;
  mock.method(prototype, "write", async function (this: unknown, ...rest: [Uint8Array, number, number, number]) {
    if (rest[3] < 100_000) return write.apply(this, rest);
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
  });
  const failed = resolveModel(MODEL, options);
  await assert.rejects(failed, { code: "DOWNLOAD_FAILED", message: /model\.safetensors.*ENOSPC.*HF_HUB_CACHE/ });
  assert.equal((await failed.catch((error) => error.cause)).code, "ENOSPC");
  mock.restoreAll();
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  assert.match(weightRequests(hub.requests)[1]?.headers.range ?? "", /^bytes=\d{5,6}-$/);
});

test("a cache that is no folder is DOWNLOAD_FAILED with the remedy", async (t) => {
  const { cacheDir, options } = await hubFixture(t);
  writeFileSync(join(cacheDir, "file"), "");
  const message = /could not be written.*cacheDir/;
  const wrong = { ...options, cacheDir: join(cacheDir, "file") };
  await assert.rejects(resolveModel(MODEL, wrong), { code: "DOWNLOAD_FAILED", message });
});

test("redirects in a circle end", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.fail("hub", /./, 99, (response, request) => response.writeHead(302, { location: request.url }).end());
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message: /Too many redirects/ });
});

test("concurrent calls in one process share one download of each file", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  const all = await Promise.all(Array.from({ length: 8 }, () => resolveModel(MODEL, options)));
  for (const { paths } of all) assert.deepEqual(contents(paths), expectedContents());
  assert.equal(weightRequests(hub.requests).length, 1);
  assert.deepEqual(readdirSync(join(cacheDir, "models--tester--tiny-reranker", "blobs")).length, NEEDED.length);
});
