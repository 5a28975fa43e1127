import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { inspect } from "node:util";
import { resolveModel } from "../../../src/engine/resolve-model.js";
import { timing } from "../../../src/model/hub/request.js";
import type { DownloadProgress } from "../../../src/types.js";
import {
  blobs,
  contents,
  expectedContents,
  FILES,
  hubFixture,
  MODEL,
  noise,
  WEIGHTS,
} from "../../support/hub-model.js";
import { type Seen, send, sendPart, sha256 } from "../../support/hub-server.js";

const OTHER = noise(WEIGHTS.length, "other weights");
const weightsFile = /model\.safetensors$/;

/** A hub that lists no checksums and serves the weights under an ETag that is none. */
async function mirrorFixture(t: TestContext) {
  const fixture = await hubFixture(t);
  fixture.hub.listsBlobs = false;
  fixture.hub.fail("hub", weightsFile, Infinity, (response, request) => {
    const { content, etag, cutAfter, stalls = false, heedsIfRange } = serve(request);
    response.setHeader("etag", etag);
    const range = heedsIfRange && request.headers["if-range"] !== etag ? undefined : request.headers.range;
    const asked = { ...request, headers: { ...request.headers, range } };
    if (request.method === "GET" && cutAfter) sendPart(response, asked, content, cutAfter, !stalls);
    else send(response, asked, content);
  });
  let serve: (request: Seen) => Served;
  const gets = () => fixture.hub.requests.filter(({ method, url }) => method === "GET" && weightsFile.test(url));
  const serveWeights = (how: typeof serve) => {
    serve = how;
  };
  return { ...fixture, gets, serveWeights };
}

interface Served {
  content: Buffer;
  etag: string;
  /** Bytes of an answer to GET that end too early. */
  cutAfter?: number;
  /** Keep the connection open then. */
  stalls?: boolean;
  heedsIfRange?: boolean;
}

for (const heedsIfRange of [true, false]) {
  test(`content that changes between attempts is never mixed (If-Range ${heedsIfRange ? "heeded" : "ignored"})`, async (t) => {
    const { options, gets, serveWeights } = await mirrorFixture(t);
    serveWeights(({ method }) =>
      method === "HEAD" || gets().length === 1
        ? { content: WEIGHTS, etag: '"one"', cutAfter: 150_000 }
        : { content: OTHER, etag: '"two"', heedsIfRange },
    );
    const { paths } = await resolveModel(MODEL, options);
    assert.deepEqual(readFileSync(paths["model.safetensors"]!), OTHER);
    assert.equal(gets()[1]?.headers["if-range"], '"one"');
  });
}

test("without a checksum the same content is resumed, by its ETag", async (t) => {
  const { options, gets, serveWeights } = await mirrorFixture(t);
  serveWeights(() => ({
    content: WEIGHTS,
    etag: '"one"',
    heedsIfRange: true,
    ...(gets().length < 2 && { cutAfter: 150_000 }),
  }));
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  // What has arrived just before the break may be lost.
  assert.match(gets()[1]?.headers.range ?? "", /^bytes=1[0-5]\d{4}-$/);
  assert.equal(gets().length, 2);
});

for (const etag of ['W/"one"', '"one"']) {
  test(`without a checksum nothing is put behind bytes whose origin is unknown (ETag ${etag})`, async (t) => {
    const { cacheDir, options, gets, serveWeights } = await mirrorFixture(t);
    const stop = new AbortController();
    serveWeights(() => ({ content: WEIGHTS, etag, cutAfter: 150_000, stalls: true }));
    const onProgress = ({ file, loaded }: DownloadProgress) => {
      if (weightsFile.test(file) && loaded > 0) stop.abort();
    };
    await assert.rejects(resolveModel(MODEL, { ...options, onProgress, signal: stop.signal }), { code: "ABORTED" });
    assert.ok(blobs(cacheDir).some((name) => name.endsWith(".incomplete")));
    serveWeights(() => ({ content: OTHER, etag }));
    const { paths } = await resolveModel(MODEL, options);
    assert.deepEqual(readFileSync(paths["model.safetensors"]!), OTHER);
    assert.equal(gets().at(-1)?.headers.range, undefined);
  });
}

/** A listing with checksums in capitals. */
function listInCapitals(response: ServerResponse, commit: string): void {
  const siblings = Object.entries(FILES).map(([rfilename, content]) => {
    const [sha, size] = [sha256(content).toUpperCase(), content.length];
    return { rfilename, size, blobId: "0".repeat(40), lfs: { sha256: sha, size } };
  });
  response.end(JSON.stringify({ sha: commit, siblings }));
}

test("a checksum in capitals is one", async (t) => {
  const { hub, cacheDir, commit, options } = await hubFixture(t);
  hub.fail("hub", /^\/api/, 2, (response) => listInCapitals(response, commit));
  hub.fail("cdn", new RegExp(sha256(WEIGHTS)), 2, (response, request) => send(response, request, OTHER));
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message: /damaged twice/ });
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  assert.ok(blobs(cacheDir).includes(sha256(WEIGHTS)), "as Python names it");
});

test("a listing of nothing is no listing", async (t) => {
  const { hub, commit, options } = await hubFixture(t);
  for (const siblings of [[null], [7], [{}], ["config.json"]]) {
    hub.fail("hub", /^\/api/, 5, (response) => response.end(JSON.stringify({ sha: commit, siblings })));
    const message = /did not answer as a model hub does/;
    await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message });
  }
});

test("a listing without end is not read to its end, nor asked for again", async (t) => {
  const { hub, options } = await hubFixture(t);
  let sent = 0;
  hub.fail("hub", /^\/api/, 5, (response) => {
    const block = Buffer.alloc(2 ** 20, " ");
    const more = () => {
      for (; sent < 200; sent++) if (!response.write(block)) return;
      response.end();
    };
    response.on("drain", more);
    more();
  });
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message: /lists more than \d+ bytes/ });
  assert.equal(hub.requests.length, 1);
  assert.ok(sent < 50, `${sent} MB were read`);
});

for (const revision of [".", "a/.", ".hidden", "refs/.x/y", "..", "a..b", "a:b", "a\u0000b", "/", ""]) {
  test(`${JSON.stringify(revision)} is no revision`, async (t) => {
    const { hub, cacheDir, options } = await hubFixture(t);
    await assert.rejects(resolveModel(MODEL, { ...options, revision }), {
      code: "OPTION_INVALID",
      message: /revision/,
    });
    assert.deepEqual([hub.requests, readdirSync(cacheDir)], [[], []]);
  });
}

test("a server that only drips is given up", async (t) => {
  timing.slowness = 60;
  t.after(() => Object.assign(timing, { slowness: 60_000 }));
  const { hub, options } = await hubFixture(t);
  hub.fail("cdn", new RegExp(sha256(WEIGHTS)), Infinity, (response, request) => {
    sendPart(response, request, WEIGHTS, 0, false);
    const drip = setInterval(() => response.write("x"), 5);
    response.on("close", () => clearInterval(drip));
  });
  const message = /less than 65536 bytes in 0.06 s/;
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message });
});

test("connections that break after a few bytes are given up", async (t) => {
  const { hub, options } = await hubFixture(t);
  const weights = new RegExp(sha256(WEIGHTS));
  hub.fail("cdn", weights, 100, (response, request) => sendPart(response, request, WEIGHTS, 10, true));
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED" });
  assert.equal(hub.requests.filter(({ url }) => weights.test(url)).length, 5);
});

const untold = (word: RegExp) => (error: unknown) => {
  assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), word);
  return /^(DOWNLOAD_FAILED|OPTION_INVALID|MODEL_NOT_FOUND)$/.test((error as { code: string }).code);
};

test("a token that the hub repeats is told to nobody", async (t) => {
  const { hub, options } = await hubFixture(t);
  const token = "hf_abcdefghijk";
  for (const status of [400, 401, 404, 500]) {
    hub.fail("hub", /^\/api/, 5, (response) => {
      response.writeHead(status, { "x-error-message": `bad ${token}`, location: `/${token}` }).end();
    });
    await assert.rejects(resolveModel(MODEL, { ...options, token }), untold(/hf_abc/));
  }
  hub.fail("hub", /^\/api/, 5, (response) => response.writeHead(302, { location: `http://x:${token}@[` }).end());
  await assert.rejects(resolveModel(MODEL, { ...options, token }), untold(/hf_abc/));
});

for (const endpoint of [
  "http://me:hidden@127.0.0.1:9",
  "http://me:hid den@[",
  "me:hidden@host",
  "https://h/?k=hidden",
]) {
  test(`an address with a secret is refused at once, and not shown: ${endpoint}`, async (t) => {
    const { options } = await hubFixture(t);
    const call = resolveModel(MODEL, { ...options, endpoint });
    await assert.rejects(call, { code: "OPTION_INVALID" });
    await assert.rejects(call, untold(/hid/));
    process.env.HF_ENDPOINT = endpoint;
    await assert.rejects(resolveModel(MODEL, { ...options, endpoint: undefined }), untold(/hid/));
  });
}
