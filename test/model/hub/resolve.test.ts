import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { resolveModel } from "../../../src/engine/resolve-model.js";
import type { DownloadProgress } from "../../../src/types.js";
import {
  blobs,
  contents,
  expectedContents,
  FILES,
  hubFixture,
  MODEL,
  NEEDED,
  noise,
  WEIGHTS,
} from "../../support/hub-model.js";
import { gitBlobSha1, sha256 } from "../../support/hub-server.js";
import { temporaryFolder } from "../../support/paths.js";

const repository = (cacheDir: string) => join(cacheDir, "models--tester--tiny-reranker");

test("the test hub names blobs as git does", () => {
  // https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
  assert.equal(gitBlobSha1(Buffer.from("what is up, doc?")), "bd9dbf5aae1a3862dd1526723246b20206e5fc37");
});

test("downloads what is needed, once, and pins the revision", async (t) => {
  const { hub, commit, options } = await hubFixture(t);
  const found = await resolveModel(MODEL, options);
  assert.equal(found.model, MODEL);
  assert.equal(found.revision, commit);
  assert.deepEqual(Object.keys(found.paths).sort(), [...NEEDED].sort());
  assert.deepEqual(contents(found.paths), expectedContents());
  const fetched = hub.requests.filter(({ server, url }) => server === "hub" && url.includes("/resolve/"));
  assert.ok(fetched.every(({ url }) => url.includes(`/resolve/${commit}/`)));
  assert.equal(fetched.length, NEEDED.length);

  hub.requests.length = 0;
  assert.deepEqual(await resolveModel(MODEL, options), found);
  assert.deepEqual(hub.log(), [`GET hub /api/models/${MODEL}/revision/main`]);
});

test("once downloaded it works offline, and with the hub gone", async (t) => {
  const { hub, commit, options } = await hubFixture(t);
  const online = await resolveModel(MODEL, options);
  hub.requests.length = 0;
  assert.deepEqual(await resolveModel(MODEL, { ...options, localFilesOnly: true }), online);
  assert.deepEqual(await resolveModel(MODEL, { ...options, revision: commit }), online);
  process.env.HF_HUB_OFFLINE = "1";
  const { localFilesOnly: _, ...rest } = options;
  assert.deepEqual(await resolveModel(MODEL, rest), online);
  delete process.env.HF_HUB_OFFLINE;
  assert.deepEqual(hub.log(), []);

  await hub.close();
  const warned = new Promise<Error>((done) => process.once("warning", done));
  assert.deepEqual(await resolveModel(MODEL, options), online);
  assert.match((await warned).message, /ECONNREFUSED.*Using the copy in the cache/);
});

test("a hub that answers 500 is served from the cache, one that says no is not", async (t) => {
  const { hub, options } = await hubFixture(t);
  const online = await resolveModel(MODEL, options);
  hub.fail("hub", /^\/api/, 2, (response) => response.writeHead(500).end());
  const warned = new Promise<Error>((done) => process.once("warning", done));
  assert.deepEqual(await resolveModel(MODEL, options), online);
  assert.match((await warned).message, /500/);
  hub.gated.set(MODEL, "hf_secret");
  const message = /answered 401.*localFilesOnly/;
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message });
});

test("offline without it in the cache: says what was looked for, where, and the remedy", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  const message = /"tester\/tiny-reranker" at revision "main".*models--tester--tiny-reranker.*bge-reranker download/;
  await assert.rejects(resolveModel(MODEL, { ...options, localFilesOnly: true }), { code: "MODEL_NOT_FOUND", message });
  assert.deepEqual(hub.requests, []);

  await hub.close();
  await assert.rejects(resolveModel(MODEL, options), (error: Error & { code: string }) => {
    assert.equal(error.code, "DOWNLOAD_FAILED");
    for (const part of [MODEL, options.endpoint, "ECONNREFUSED", "HF_ENDPOINT", cacheDir]) {
      assert.ok(error.message.includes(part), `${part} in ${error.message}`);
    }
    return true;
  });
});

test("a branch that moved: new commit, unchanged files not fetched again", async (t) => {
  const { hub, commit, options } = await hubFixture(t);
  await resolveModel(MODEL, options);
  const files = { ...FILES, "tokenizer_config.json": "{}" };
  const next = hub.addModel(MODEL, files);
  hub.requests.length = 0;
  const found = await resolveModel(MODEL, options);
  assert.equal(found.revision, next);
  assert.deepEqual(contents(found.paths), expectedContents(files));
  assert.equal(hub.requests.filter(({ url }) => url.includes("/resolve/")).length, 1);
  const old = await resolveModel(MODEL, { ...options, revision: commit, localFilesOnly: true });
  assert.deepEqual(contents(old.paths), expectedContents());
});

test("a ref is written only when all files are there", async (t) => {
  const { hub, cacheDir, commit, options } = await hubFixture(t);
  await resolveModel(MODEL, options);
  hub.addModel(MODEL, { ...FILES, "model.safetensors": noise(5000, "new") });
  hub.fail("cdn", /./, 99, (response) => response.writeHead(403).end());
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED" });
  assert.equal(readFileSync(join(repository(cacheDir), "refs", "main"), "utf8"), commit);
  const offline = await resolveModel(MODEL, { ...options, localFilesOnly: true });
  assert.deepEqual(contents(offline.paths), expectedContents());
});

test("an empty cache folder and a mirror can come from the variables", async (t) => {
  const { hub, options } = await hubFixture(t);
  const folder = temporaryFolder(t);
  Object.assign(process.env, { HF_ENDPOINT: `${hub.endpoint}/`, HF_HUB_CACHE: join(folder, "a", "b") });
  const { paths } = await resolveModel(MODEL, { token: options.token });
  assert.ok(paths["config.json"]?.startsWith(join(folder, "a", "b")));
  assert.deepEqual(contents(paths), expectedContents());
});

test("a mirror that lists neither sizes nor checksums is asked for each file's headers", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.listsBlobs = false;
  const { paths } = await resolveModel(MODEL, options);
  assert.deepEqual(contents(paths), expectedContents());
  assert.ok(blobs(cacheDir).includes(sha256(WEIGHTS)));
  assert.ok(blobs(cacheDir).includes(gitBlobSha1(Buffer.from(FILES["config.json"] as string))));
  assert.ok(!hub.log().some((line) => line.startsWith("HEAD cdn")));
});

test("a mirror that gives no checksum at all is refused", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.listsBlobs = false;
  hub.fail("hub", /resolve/, 99, (response) => response.writeHead(200, { "content-length": 3 }).end("abc"));
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message: /no usable ETag/ });
});

test("an ETag that is no file name is refused", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  hub.listsBlobs = false;
  hub.fail("hub", /resolve/, 99, (response) => {
    response.writeHead(200, { etag: '"../../../evil"', "content-length": 3 }).end("abc");
  });
  await assert.rejects(resolveModel(MODEL, options), { code: "DOWNLOAD_FAILED", message: /no usable ETag.*evil/ });
  assert.ok(!existsSync(join(cacheDir, "evil")));
});

test("a renamed repository is followed, a relative redirect keeps the token", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.gated.set(MODEL, "hf_secret");
  hub.fail("hub", /^\/api\/models\/tester\/old/, 1, (response, request) => {
    response.writeHead(307, { location: request.url.replace("tester/old", MODEL) }).end();
  });
  hub.fail("hub", /^\/tester\/old\//, 99, (response, request) => {
    response.writeHead(307, { location: request.url.replace("tester/old", MODEL) }).end();
  });
  const { paths } = await resolveModel("tester/old", { ...options, token: "hf_secret" });
  assert.deepEqual(contents(paths), expectedContents());
});

test("the token goes to the hub and to nobody else", async (t) => {
  const { hub, options } = await hubFixture(t);
  hub.gated.set(MODEL, "hf_secret");
  await resolveModel(MODEL, { ...options, token: "hf_secret" });
  const cdn = hub.requests.filter(({ server }) => server === "cdn");
  assert.equal(cdn.length, 2);
  for (const { headers } of cdn) {
    assert.equal(headers.authorization, undefined);
    assert.doesNotMatch(JSON.stringify(headers), /hf_secret/);
  }
  const asked = hub.requests.filter(({ server }) => server === "hub");
  assert.ok(asked.every(({ headers }) => headers.authorization === "Bearer hf_secret"));
});

test("a token comes from HF_TOKEN, or from the file that `hf auth login` writes", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  const { token: _, ...withoutToken } = options;
  hub.gated.set(MODEL, "hf_from_file");
  writeFileSync(join(cacheDir, "token"), "hf_from_file\n");
  await resolveModel(MODEL, withoutToken);
  hub.gated.set(MODEL, "hf_from_variable");
  process.env.HF_TOKEN = "hf_from_variable";
  await resolveModel(MODEL, withoutToken);
  delete process.env.HF_TOKEN;
  hub.gated.set(MODEL, "hf_elsewhere");
  process.env.HF_TOKEN_PATH = join(cacheDir, "elsewhere");
  writeFileSync(process.env.HF_TOKEN_PATH, "hf_elsewhere");
  await resolveModel(MODEL, withoutToken);
  const asked = hub.requests.filter(({ server }) => server === "hub").map(({ headers }) => headers.authorization);
  assert.deepEqual([...new Set(asked)], ["Bearer hf_from_file", "Bearer hf_from_variable", "Bearer hf_elsewhere"]);
});

test("a shard index that leaves the folder is refused before anything is fetched for it", async (t) => {
  const { hub, options } = await hubFixture(t);
  const { "model.safetensors": _, ...rest } = FILES;
  hub.addModel(MODEL, {
    ...rest,
    "model.safetensors.index.json": JSON.stringify({ weight_map: { a: "../../../../evil.safetensors" } }),
    "../../../../evil.safetensors": "evil",
  });
  await assert.rejects(resolveModel(MODEL, options), { code: "MODEL_INVALID", message: /evil\.safetensors/ });
  assert.ok(!hub.log().some((line) => line.includes("evil")));
});

test("shards are downloaded, all of them", async (t) => {
  const { hub, options } = await hubFixture(t);
  const { "model.safetensors": _, ...rest } = FILES;
  const shards = { "model-1.safetensors": noise(3000, "1"), "model-2.safetensors": noise(3000, "2") };
  const index = JSON.stringify({ weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" } });
  hub.addModel(MODEL, { ...rest, ...shards, "model.safetensors.index.json": index });
  const found = contents((await resolveModel(MODEL, options)).paths);
  for (const [name, content] of Object.entries(shards)) assert.deepEqual(found[name], content);
});

test("what cannot run is refused before its weights are fetched", async (t) => {
  const { hub, options } = await hubFixture(t);
  const config = JSON.stringify({
    ...JSON.parse(FILES["config.json"] as string),
    id2label: { 0: "A", 1: "B", 2: "C" },
  });
  hub.addModel(MODEL, { ...FILES, "config.json": config });
  await assert.rejects(resolveModel(MODEL, options), { code: "MODEL_UNSUPPORTED", message: /3 labels/ });
  assert.ok(!hub.log().some((line) => line.includes("model.safetensors")));
});

test("progress: bytes and totals of each file, up to the end", async (t) => {
  const { hub, options } = await hubFixture(t);
  const seen: DownloadProgress[] = [];
  await resolveModel(MODEL, { ...options, onProgress: (progress) => seen.push(progress) });
  assert.deepEqual(new Set(seen.map(({ file }) => file)), new Set(NEEDED));
  const weights = seen.filter(({ file }) => file === "model.safetensors");
  assert.deepEqual(weights.at(-1), { file: "model.safetensors", loaded: WEIGHTS.length, total: WEIGHTS.length });
  assert.ok(weights.length >= 2);
  assert.ok(weights.every(({ total }) => total === WEIGHTS.length));
  assert.deepEqual(
    weights.map(({ loaded }) => loaded),
    weights.map(({ loaded }) => loaded).sort((a, b) => a - b),
  );
  seen.length = 0;
  await resolveModel(MODEL, { ...options, onProgress: (progress) => seen.push(progress) });
  assert.deepEqual(seen, []);
  assert.ok(hub.requests.length > 0);
});

test("an error thrown by onProgress reaches the caller as it is", async (t) => {
  const { options } = await hubFixture(t);
  const own = new Error("mine");
  const onProgress = () => {
    throw own;
  };
  await assert.rejects(resolveModel(MODEL, { ...options, onProgress }), (error) => error === own);
});
