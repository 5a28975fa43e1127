import assert from "node:assert/strict";
import fs, { lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { resolveModel } from "../../../src/engine/resolve-model.js";
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

const repository = (cacheDir: string) => join(cacheDir, "models--tester--tiny-reranker");

test("the cache is laid out as Python's huggingface_hub does", async (t) => {
  const { cacheDir, commit, options } = await hubFixture(t);
  await resolveModel(MODEL, options);
  const root = repository(cacheDir);
  assert.equal(readFileSync(join(root, "refs", "main"), "utf8"), commit);
  const etags = {
    "config.json": gitBlobSha1(Buffer.from(FILES["config.json"] as string)),
    "model.safetensors": sha256(WEIGHTS),
  };
  for (const [name, etag] of Object.entries(etags)) {
    const link = join(root, "snapshots", commit, name);
    assert.equal(readlinkSync(link), join("..", "..", "blobs", etag));
    assert.ok(lstatSync(join(root, "blobs", etag)).isFile());
  }
  assert.equal(blobs(cacheDir).length, NEEDED.length);
});

test("files in a folder of the repository link to the blobs too", async (t) => {
  const { hub, cacheDir, options } = await hubFixture(t);
  const onnx = { "onnx/model.onnx": "graph", "onnx/model.onnx_data": noise(2000, "data") };
  const commit = hub.addModel(MODEL, { "config.json": '{"model_type":"other"}', "tokenizer.json": "{}", ...onnx });
  const { paths } = await resolveModel(MODEL, options);
  assert.deepEqual(readFileSync(paths["onnx/model.onnx_data"] ?? ""), onnx["onnx/model.onnx_data"]);
  const link = join(repository(cacheDir), "snapshots", commit, "onnx", "model.onnx");
  assert.equal(readlinkSync(link), join("..", "..", "..", "blobs", sha256("graph")));
});

/** What huggingface_hub leaves after `snapshot_download`; a copy instead of a link where `copy` says so. */
function pythonCache(cacheDir: string, commit: string, names: string[], copy = false): void {
  const root = repository(cacheDir);
  for (const name of names) {
    const content = Buffer.from(FILES[name] as Buffer);
    const etag = /safetensors$|^tokenizer\.json$/.test(name) ? sha256(content) : gitBlobSha1(content);
    const path = join(root, "snapshots", commit, name);
    const blob = join(root, "blobs", etag);
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(dirname(blob), { recursive: true });
    writeFileSync(copy ? path : blob, content);
    if (!copy) symlinkSync(join("..", "..", "blobs", etag), path);
  }
  mkdirSync(join(root, "refs"), { recursive: true });
  writeFileSync(join(root, "refs", "main"), commit);
}

for (const copy of [false, true]) {
  test(`what Python has downloaded is used as it is (${copy ? "copies, as on Windows" : "links"})`, async (t) => {
    const { hub, cacheDir, commit, options } = await hubFixture(t);
    pythonCache(cacheDir, commit, NEEDED, copy);
    const { paths, revision } = await resolveModel(MODEL, options);
    assert.equal(revision, commit);
    assert.deepEqual(contents(paths), expectedContents());
    assert.deepEqual(hub.log(), [`GET hub /api/models/${MODEL}/revision/main`]);
    const offline = await resolveModel(MODEL, { ...options, localFilesOnly: true });
    assert.deepEqual(offline.paths, paths);
  });
}

test("a part that Python has downloaded is completed, and refused offline", async (t) => {
  const { hub, cacheDir, commit, options } = await hubFixture(t);
  pythonCache(cacheDir, commit, ["config.json", "tokenizer.json"]);
  const offline = { ...options, localFilesOnly: true };
  await assert.rejects(resolveModel(MODEL, offline), { code: "MODEL_NOT_FOUND", message: /no model\.safetensors/ });
  const pinned = await resolveModel(MODEL, { ...options, revision: commit });
  assert.deepEqual(contents(pinned.paths), expectedContents());
  assert.ok(!hub.log().some((line) => /config\.json$/.test(line) && !line.includes("tokenizer_config")));
});

test("a file in the cache that has the wrong size is fetched again", async (t) => {
  const { cacheDir, commit, options } = await hubFixture(t);
  pythonCache(cacheDir, commit, NEEDED);
  writeFileSync(join(repository(cacheDir), "blobs", sha256(WEIGHTS)), WEIGHTS.subarray(0, 1000));
  const { paths } = await resolveModel(MODEL, options);
  assert.deepEqual(contents(paths), expectedContents());
});

test("a dangling link in the cache is no file", async (t) => {
  const { hub, cacheDir, commit, options } = await hubFixture(t);
  pythonCache(cacheDir, commit, NEEDED);
  fs.rmSync(join(repository(cacheDir), "blobs", sha256(WEIGHTS)));
  await assert.rejects(resolveModel(MODEL, { ...options, localFilesOnly: true }), { code: "MODEL_NOT_FOUND" });
  const { paths } = await resolveModel(MODEL, { ...options, revision: commit });
  assert.deepEqual(contents(paths), expectedContents());
  assert.equal(hub.requests.filter(({ server }) => server === "cdn").length, 1);
});

const links = ["symlink", "link"] as const;
for (const refused of [links.slice(0, 1), links]) {
  test(`without ${refused.join(" and ")} the snapshot holds real files`, async (t) => {
    const { cacheDir, commit, options } = await hubFixture(t);
    for (const name of refused) {
      const original = fs.promises[name];
      fs.promises[name] = async () => {
        throw Object.assign(new Error("EPERM: operation not permitted"), { code: "EPERM", syscall: name });
      };
      t.after(() => {
        fs.promises[name] = original as never;
        syncBuiltinESMExports();
      });
    }
    syncBuiltinESMExports();
    const { paths } = await resolveModel(MODEL, options);
    assert.deepEqual(contents(paths), expectedContents());
    const { nlink } = lstatSync(join(repository(cacheDir), "snapshots", commit, "model.safetensors"));
    assert.equal(nlink, refused.length === 1 ? 2 : 1);
    assert.deepEqual((await resolveModel(MODEL, { ...options, localFilesOnly: true })).paths, paths);
  });
}
