import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { resolveModel } from "../../../src/engine/resolve-model.js";
import { partialTiming } from "../../../src/model/hub/partial-file.js";
import { blobs, contents, expectedContents, hubFixture, MODEL, WEIGHTS } from "../../support/hub-model.js";
import { type Seen, send, sendPart, sha256 } from "../../support/hub-server.js";

const weightsUrl = new RegExp(sha256(WEIGHTS));
const weightRequests = (requests: Seen[]) => requests.filter(({ url }) => weightsUrl.test(url));
const partials = (cacheDir: string) => blobs(cacheDir).filter((name) => name.endsWith(".incomplete"));

/** Another process that resolves the model and prints the paths as JSON. */
function resolveInChild(t: TestContext, options: object): ChildProcess {
  const files = new URL("../../../src/engine/resolve-model.js", import.meta.url);
  const script = `
    import { resolveModel } from ${JSON.stringify(files)};
    const { paths } = await resolveModel(${JSON.stringify(MODEL)}, ${JSON.stringify(options)});
    console.log(JSON.stringify(paths));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

async function pathsOf(child: ChildProcess): Promise<Record<string, string>> {
  return JSON.parse(await text(child.stdout as NodeJS.ReadableStream));
}

/** Resolves when a partial file of the weights holds `size` bytes. */
async function reached(cacheDir: string, size: number): Promise<void> {
  const folder = join(cacheDir, "models--tester--tiny-reranker", "blobs");
  for (;;) {
    try {
      const name = partials(cacheDir).find((candidate) => weightsUrl.test(candidate));
      if (name && readFileSync(join(folder, name)).length >= size) return;
    } catch {
      // not there yet
    }
    await new Promise((done) => setTimeout(done, 10));
  }
}

test("kill -9 in the middle of a download: nothing half-written counts, a new run goes on", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 1, (response, request) => sendPart(response, request, WEIGHTS, 150_000, false));
  const child = resolveInChild(t, options);
  await reached(cacheDir, 150_000);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.ok(!blobs(cacheDir).includes(sha256(WEIGHTS)));
  await assert.rejects(resolveModel(MODEL, { ...options, localFilesOnly: true }), { code: "MODEL_NOT_FOUND" });

  assert.deepEqual(contents(await pathsOf(resolveInChild(t, options))), expectedContents());
  assert.deepEqual(
    weightRequests(hub.requests).map(({ headers }) => headers.range),
    [undefined, "bytes=150000-"],
  );
  assert.deepEqual(partials(cacheDir), []);
});

test("two processes at once: both end with whole files, and each byte is fetched once", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  const slow = (response: Parameters<typeof send>[0], request: Seen) => {
    setTimeout(() => send(response, request, WEIGHTS), 300);
  };
  hub.fail("cdn", weightsUrl, 9, slow);
  const children = [resolveInChild(t, options), resolveInChild(t, options), resolveInChild(t, options)];
  for (const paths of await Promise.all(children.map(pathsOf))) assert.deepEqual(contents(paths), expectedContents());
  assert.equal(weightRequests(hub.requests).length, 1);
  assert.deepEqual(partials(cacheDir), []);
});

test("one that waits takes over when the downloading process is killed", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 1, (response, request) => sendPart(response, request, WEIGHTS, 150_000, false));
  const child = resolveInChild(t, options);
  await reached(cacheDir, 150_000);
  const seen: number[] = [];
  const waiting = resolveModel(MODEL, { ...options, onProgress: ({ loaded }) => seen.push(loaded) });
  while (!seen.includes(150_000)) await new Promise((done) => setTimeout(done, 10));
  child.kill("SIGKILL");
  assert.deepEqual(contents((await waiting).paths), expectedContents());
  assert.equal(weightRequests(hub.requests)[1]?.headers.range, "bytes=150000-");
});

/** Leaves a partial file as a process on `host` with `pid` would. */
function leavePartial(cacheDir: string, host: string, pid: number, content: Buffer): string {
  const folder = join(cacheDir, "models--tester--tiny-reranker", "blobs");
  const path = join(folder, `${sha256(WEIGHTS)}.${host}-${pid}-00000000.incomplete`);
  writeFileSync(path, content);
  return path;
}

test("a partial file of another machine is waited for while it changes, then taken over", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 5, (response) => response.destroy());
  await assert.rejects(resolveModel(MODEL, options)); // makes the folders
  hub.requests.length = 0;
  partialTiming.stale = 200;
  const path = leavePartial(cacheDir, "ffffffff", process.pid, WEIGHTS.subarray(0, 1000));
  const waiting = resolveModel(MODEL, options);
  for (let beat = 0; beat < 6; beat++) {
    await new Promise((done) => setTimeout(done, 100));
    utimesSync(path, new Date(), new Date());
  }
  assert.equal(weightRequests(hub.requests).length, 0);
  assert.deepEqual(contents((await waiting).paths), expectedContents());
  assert.equal(weightRequests(hub.requests)[0]?.headers.range, "bytes=1000-");
});

test("an owner that was wrongly taken for dead starts over and ends whole", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  partialTiming.stale = 100;
  partialTiming.heartbeat = 60_000; // this process seems dead to the other one
  let goOn = () => {};
  hub.fail("cdn", weightsUrl, 1, (response, request) => {
    sendPart(response, request, WEIGHTS, 150_000, false);
    goOn = () => response.end(WEIGHTS.subarray(150_000));
  });
  const first = resolveModel(MODEL, options);
  await reached(cacheDir, 150_000);
  const second = resolveModel(MODEL, options);
  assert.deepEqual(contents((await second).paths), expectedContents());
  goOn();
  assert.deepEqual(contents((await first).paths), expectedContents());
  assert.equal(weightRequests(hub.requests)[1]?.headers.range, "bytes=150000-");
  assert.deepEqual(partials(cacheDir), []);
});

test("a leftover that is damaged does no harm", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 5, (response) => response.destroy());
  await assert.rejects(resolveModel(MODEL, options));
  const folder = join(cacheDir, "models--tester--tiny-reranker", "blobs");
  for (const content of [Buffer.alloc(1000), Buffer.alloc(WEIGHTS.length), Buffer.alloc(WEIGHTS.length + 1)]) {
    hub.requests.length = 0;
    writeFileSync(join(folder, `${sha256(WEIGHTS)}.released.incomplete`), content);
    assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
    assert.equal(weightRequests(hub.requests).at(-1)?.headers.range, undefined);
    writeFileSync(join(folder, sha256(WEIGHTS)), "");
  }
});

test("Python's own partial file is left alone", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.fail("cdn", weightsUrl, 5, (response) => response.destroy());
  await assert.rejects(resolveModel(MODEL, options));
  const folder = join(cacheDir, "models--tester--tiny-reranker", "blobs");
  const theirs = [`${sha256(WEIGHTS)}.incomplete`, `${sha256(WEIGHTS)}.0a1b2c3d.incomplete`];
  for (const name of theirs) writeFileSync(join(folder, name), "theirs");
  assert.deepEqual(contents((await resolveModel(MODEL, options)).paths), expectedContents());
  for (const name of theirs) assert.equal(readFileSync(join(folder, name), "utf8"), "theirs");
});
