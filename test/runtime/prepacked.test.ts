import assert from "node:assert/strict";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { extname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { InferenceSession } from "onnxruntime-node";
import { isIntact } from "../../src/cache/checksum-file.js";
import { loadModel } from "../../src/engine/load.js";
import type { LoadedModel } from "../../src/engine/loaded-model.js";
import { resolveModel } from "../../src/engine/resolve-model.js";
import { openPrepacked } from "../../src/runtime/prepacked.js";
import { createSession } from "../../src/runtime/session.js";
import { editModel } from "../support/checkpoint.js";
import { EngineRun } from "../support/engine.js";
import { fixture, temporaryFolder } from "../support/paths.js";
import { referencePairs, references } from "../support/reference.js";

const expected = references("bert");
const chosen = referencePairs()
  .map((pair, index) => ({ ...pair, logit: expected[index]!.logit }))
  .filter(({ passage, maxLength }) => maxLength === 512 && passage.length < 120)
  .slice(0, 10);

function cacheIn(context: TestContext): string {
  const folder = temporaryFolder(context);
  process.env.BGE_RERANKER_CACHE = folder;
  return folder;
}

type Dtype = "fp32" | "int8";

/** Loads the model, scores the pairs and checks them against PyTorch; returns the warnings of the load. */
async function score(dtype: Dtype): Promise<string[]> {
  const files = await resolveModel(fixture("models/bert"));
  const model = await loadModel({ files, device: "cpu", dtype, batchTokens: undefined });
  await logitsOf(model, dtype);
  return model.warnings;
}

/** Scores the pairs, checks them against PyTorch and disposes of the model. */
async function logitsOf(model: LoadedModel, dtype: Dtype): Promise<number[]> {
  const run = new EngineRun(model);
  const passages = chosen.map(({ passage }) => passage);
  await run.submit(
    1,
    chosen.map(({ query }) => query),
    passages,
    { queryOf: [...passages.keys()] },
  );
  await run.engine.dispose();
  assert.equal(run.failures.size, 0);
  const logits = run.logits.get(1)!;
  for (const [i, logit] of logits.entries()) {
    const off = Math.abs(logit - chosen[i]!.logit);
    assert.ok(off < (dtype === "fp32" ? 1e-4 : 0.2), `${dtype}: ${logit}, PyTorch ${chosen[i]!.logit}`);
  }
  return logits;
}

/** The model with many more channels in its feed-forward layers, all of them zero: larger, and the same function. */
function widened(context: TestContext, channels: number): string {
  return editModel(context, "bert", {
    config: (config) => {
      config.intermediate_size = channels;
    },
    tensors: (tensors) => {
      for (const [name, tensor] of tensors) {
        const { shape, bytes } = tensor;
        const inputs = /layer\.\d+\.output\.dense\.weight$/.test(name);
        if (!inputs && !name.includes(".intermediate.")) continue;
        const rows = inputs ? shape[0]! : 1;
        shape[inputs ? 1 : 0] = channels;
        tensor.bytes = Buffer.alloc(shape.reduce((a, b) => a * b, 4));
        for (let row = 0; row < rows; row++) {
          const length = bytes.length / rows;
          bytes.copy(tensor.bytes, row * (tensor.bytes.length / rows), row * length, (row + 1) * length);
        }
      }
    },
  });
}

/** Content of the cache's files, by name, without checksums. */
function contents(folder: string): Record<string, Buffer> {
  const names = readdirSync(folder).filter((name) => !name.endsWith(".checksum.json"));
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(folder, name))]));
}

const flip = (path: string) => {
  const content = readFileSync(path);
  content[content.length >> 1]! ^= 0x55;
  writeFileSync(path, content);
  utimesSync(path, new Date(), new Date(Date.now() + 5000));
};

const DAMAGE: Record<string, (path: string) => void> = {
  "cut off": (path) => truncateSync(path, 100),
  "a byte changed": flip,
  gone: (path) => rmSync(path),
  "its checksum file gone": (path) => rmSync(`${path}.checksum.json`),
  "its checksum file no JSON": (path) => writeFileSync(`${path}.checksum.json`, "{"),
};

describe("packed weights in the cache", () => {
  for (const dtype of ["fp32", "int8"] as const) {
    it(`${dtype}: made once, used again, nothing else left in the folder`, async (t) => {
      const folder = cacheIn(t);
      assert.deepEqual(await score(dtype), []);
      const first = contents(folder);
      assert.deepEqual(
        Object.keys(first)
          .map((name) => extname(name))
          .filter((end) => end === ".onnx" || end === ".weights")
          .sort(),
        [".onnx", ".weights"],
      );
      assert.deepEqual(await score(dtype), []);
      assert.deepEqual(contents(folder), first);
    });

    // What int8 keeps includes the same two files; one kind of damage tells that float32 looks at its own.
    for (const [what, damage] of Object.entries(DAMAGE)) {
      if (dtype === "fp32" && damage !== flip) continue;
      it(`${dtype}: never give another score, each of them ${what}`, async (t) => {
        const folder = cacheIn(t);
        await score(dtype);
        const first = contents(folder);
        for (const name of Object.keys(first)) {
          damage(join(folder, name));
          assert.deepEqual(await score(dtype), [], name);
          // under another name where its own source was made again before
          const same = Object.keys(contents(folder)).filter((other) => extname(other) === extname(name));
          assert.ok(
            same.some((other) => isIntact(join(folder, other))),
            `${name} was made again`,
          );
        }
      });
    }
  }

  for (const [dtype, tolerance, draftBytes] of [
    ["fp32", 1e-5, undefined],
    ["int8", 0, 0],
  ] as const) {
    it(`${dtype}: large ones are not made by the load, but once it is worth it, with the same scores`, async (t) => {
      const folder = cacheIn(t);
      const files = await resolveModel(draftBytes === undefined ? widened(t, 1 << 15) : fixture("models/bert"));
      const model = await loadModel(
        { files, device: "cpu", dtype, batchTokens: undefined },
        { first: createSession, next: async () => createSession, draftBytes },
      );
      const isPacked = () => readdirSync(folder).some((name) => name.endsWith(".weights"));
      assert.equal(isPacked(), false);
      const upgraded = await model.upgrade!(assert.fail);
      assert.equal(isPacked(), true);
      const logits = await Promise.all(
        [model.session, upgraded].map((session) =>
          logitsOf({ ...model, session, upgrade: undefined, workers: 1 }, dtype),
        ),
      );
      for (const [i, logit] of logits[0]!.entries()) assert.ok(Math.abs(logit - logits[1]![i]!) <= tolerance);
    });
  }

  it("several models at once into an empty cache", async (t) => {
    const folder = cacheIn(t);
    await Promise.all([score("fp32"), score("fp32"), score("int8"), score("int8")]);
    assert.ok(readdirSync(folder).every((name) => !name.endsWith(".tmp")));
    await Promise.all([score("fp32"), score("int8")]);
  });

  it("outlive their removal while they are in use", async (t) => {
    const folder = cacheIn(t);
    await score("fp32");
    const model = await loadModel({
      files: await resolveModel(fixture("models/bert")),
      device: "cpu",
      dtype: "fp32",
      batchTokens: undefined,
    });
    rmSync(folder, { recursive: true });
    const run = new EngineRun(model);
    await run.submit(
      1,
      ["q"],
      chosen.map(({ passage }) => passage),
    );
    assert.equal(run.failures.size, 0);
    await run.engine.dispose();
  });

  for (const dtype of ["fp32", "int8"] as const) {
    it(`${dtype}: one warning where nothing can be written`, async (t) => {
      const file = join(cacheIn(t), "a file");
      writeFileSync(file, "");
      process.env.BGE_RERANKER_CACHE = join(file, "cache");
      const warnings = await score(dtype);
      assert.equal(warnings.length, 1, warnings.join("\n"));
      assert.match(warnings[0]!, /BGE_RERANKER_CACHE/);
    });
  }

  it("a damage that time and size do not show is no reason to fail", async (t) => {
    const folder = cacheIn(t);
    await score("fp32");
    const name = readdirSync(folder).find((name) => name.endsWith(".onnx"))!;
    const { atime, mtime, size } = statSync(join(folder, name));
    writeFileSync(join(folder, name), Buffer.alloc(size, 0xff));
    utimesSync(join(folder, name), atime, mtime);
    const { mtimeMs } = statSync(join(folder, name));
    // As if the clock had no finer parts: the checksum file believes the file.
    const path = join(folder, `${name}.checksum.json`);
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), mtimeMs }));
    assert.ok(isIntact(join(folder, name)));
    assert.deepEqual(await score("fp32"), []);
  });

  it("a disk that fills up while they are written costs a warning, not the load", async (t) => {
    const folder = cacheIn(t);
    const session = {} as InferenceSession;
    const warnings: string[] = [];
    const plain = async (_: unknown, options?: InferenceSession.SessionOptions) => {
      if (!options?.optimizedModelFilePath) return session;
      writeFileSync(options.optimizedModelFilePath, "half");
      throw new Error("write failed: no space left on device");
    };
    const found = await openPrepacked({ key: "key", model: "m" }, plain, assert.fail, (message) =>
      warnings.push(message),
    );
    assert.equal(found, session);
    assert.match(warnings.join(), /no space left/);
    assert.deepEqual(readdirSync(folder), []);
  });

  it("a model that cannot be opened at all fails with its own error", async (t) => {
    cacheIn(t);
    const plain = () => Promise.reject(new Error("no such operator"));
    await assert.rejects(
      openPrepacked({ key: "key", model: "m" }, plain, assert.fail, assert.fail),
      /no such operator/,
    );
  });

  it("a folder in a file's place is no reason to fail", async (t) => {
    const folder = cacheIn(t);
    await score("fp32");
    const names = Object.keys(contents(folder));
    for (const name of names) {
      rmSync(join(folder, name));
      mkdirSync(join(folder, name, "not empty"), { recursive: true });
    }
    await score("fp32");
  });
});
