import assert from "node:assert/strict";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { loadModel } from "../../src/engine/load.js";
import { resolveModel } from "../../src/engine/resolve-model.js";
import {
  editModel,
  headerOf,
  pack,
  readTensors,
  safetensors,
  type Tensors,
  useOwnCache,
} from "../support/checkpoint.js";
import { EngineRun } from "../support/engine.js";
import { failsWith } from "../support/errors.js";
import { encode, type Narrow, round } from "../support/halves.js";
import { fixture, temporaryFolder } from "../support/paths.js";
import { referencePairs, references } from "../support/reference.js";

const cache = useOwnCache();
afterEach(() => {
  process.env.BGE_RERANKER_CACHE = cache;
});

const expected = references("bert");
const chosen = referencePairs()
  .map((pair, index) => ({ ...pair, logit: expected[index]!.logit }))
  .filter(({ passage, maxLength }) => maxLength === 512 && passage.length < 200)
  .slice(0, 24);

interface Scored {
  logits: number[];
  warnings: string[];
}

/** Loads a folder on the CPU and scores the chosen pairs. */
async function score(folder: string): Promise<Scored> {
  const files = await resolveModel(folder);
  const model = await loadModel({ files, device: "cpu", dtype: "fp32", batchTokens: undefined });
  const run = new EngineRun(model);
  const queries = chosen.map(({ query }) => query);
  await run.submit(
    1,
    queries,
    chosen.map(({ passage }) => passage),
    { queryOf: [...queries.keys()] },
  );
  await run.engine.dispose();
  return { logits: run.logits.get(1)!, warnings: model.warnings };
}

function assertClose(logits: number[], wanted: number[], tolerance: number): void {
  assert.equal(logits.length, wanted.length);
  for (const [i, logit] of logits.entries()) {
    assert.ok(Math.abs(logit - wanted[i]!) < tolerance, `pair ${i}: ${logit}, expected ${wanted[i]}`);
  }
}

const pytorch = chosen.map(({ logit }) => logit);

/** Splits a checkpoint over files as `save_pretrained(max_shard_size=...)` does. */
function shards(tensors: Tensors, count: number): Record<string, string | Buffer | undefined> {
  const names = [...tensors.keys()];
  const files: Record<string, string | Buffer | undefined> = { "model.safetensors": undefined };
  const map: Record<string, string> = {};
  for (let shard = 0; shard < count; shard++) {
    const file = `model-0000${shard + 1}-of-0000${count}.safetensors`;
    const part = names.filter((_, i) => i % count === shard);
    files[file] = pack(new Map(part.map((name) => [name, tensors.get(name)!])));
    for (const name of part) map[name] = file;
  }
  files["model.safetensors.index.json"] = JSON.stringify({ metadata: {}, weight_map: map });
  return files;
}

const original = () => readTensors(fixture("models/bert/model.safetensors"));

describe("a checkpoint scores as PyTorch says", () => {
  it("in one file", async () => {
    assert.ok(chosen.length === 24);
    assertClose((await score(fixture("models/bert"))).logits, pytorch, 1e-4);
  });

  it("in three shards", async (t) => {
    assertClose((await score(editModel(t, "bert", { files: shards(original(), 3) }))).logits, pytorch, 1e-4);
  });

  it("with tensors at odd offsets", async (t) => {
    for (const padding of [" ", "  ", "   "]) {
      const tensors = original();
      const file = safetensors(
        JSON.stringify(headerOf(tensors)) + padding,
        [...tensors.values()].map(({ bytes }) => bytes),
      );
      const folder = editModel(t, "bert", { files: { "model.safetensors": file } });
      assertClose((await score(folder)).logits, pytorch, 1e-4);
    }
  });

  it("in a cache of links to blobs", async (t) => {
    const root = temporaryFolder(t);
    const from = fixture("models/bert");
    mkdirSync(join(root, "blobs"));
    mkdirSync(join(root, "snapshots", "abc"), { recursive: true });
    for (const [i, name] of readdirSync(from).entries()) {
      writeFileSync(join(root, "blobs", `blob${i}`), readFileSync(join(from, name)));
      symlinkSync(`../../blobs/blob${i}`, join(root, "snapshots", "abc", name));
    }
    assertClose((await score(join(root, "snapshots", "abc"))).logits, pytorch, 1e-4);
  });

  it("with shards on different disks, as links make it look", async (t) => {
    const folder = editModel(t, "bert", { files: shards(original(), 2) });
    const elsewhere = temporaryFolder(t);
    const name = "model-00002-of-00002.safetensors";
    renameSync(join(folder, name), join(elsewhere, "moved"));
    symlinkSync(join(elsewhere, "moved"), join(folder, name));
    assertClose((await score(folder)).logits, pytorch, 1e-4);
  });

  it("in folders with spaces and letters of any language", async (t) => {
    const folder = join(temporaryFolder(t), "mein Modell 模型 %20 #1");
    renameSync(editModel(t, "bert", {}), folder);
    assertClose((await score(folder)).logits, pytorch, 1e-4);
  });
});

/** The checkpoint in a narrow type, and the same rounded values as F32. */
function narrowed(type: Narrow, which: (name: string) => boolean = () => true): { narrow: Tensors; wide: Tensors } {
  const narrow = original();
  const wide = original();
  for (const [name, { shape, bytes }] of original()) {
    if (!which(name)) continue;
    const halves = Buffer.alloc(bytes.length / 2);
    const floats = Buffer.alloc(bytes.length);
    for (let i = 0; i < bytes.length; i += 4) {
      const value = round(bytes.readFloatLE(i), type);
      halves.writeUInt16LE(encode(value, type), i / 2);
      floats.writeFloatLE(value, i);
    }
    narrow.set(name, { dtype: type, shape, bytes: halves });
    wide.set(name, { dtype: "F32", shape, bytes: floats });
  }
  return { narrow, wide };
}

describe("a checkpoint in half precision scores as its rounded weights do", () => {
  for (const type of ["F16", "BF16"] as const) {
    it(type, async (t) => {
      const { narrow, wide } = narrowed(type);
      const reference = await score(editModel(t, "bert", { files: { "model.safetensors": pack(wide) } }));
      const moved = reference.logits.map((logit, i) => Math.abs(logit - pytorch[i]!));
      assert.ok(Math.max(...moved) > 1e-5, "rounding shows");
      assertClose(reference.logits, pytorch, type === "F16" ? 0.05 : 0.5);
      const found = await score(editModel(t, "bert", { files: { "model.safetensors": pack(narrow) } }));
      assertClose(found.logits, reference.logits, 1e-6);
      assert.deepEqual(found.warnings, []);
    });
  }

  it("mixed types, in shards", async (t) => {
    const { narrow, wide } = narrowed("F16", (name) => name.includes("layer.0"));
    const reference = await score(editModel(t, "bert", { files: { "model.safetensors": pack(wide) } }));
    const found = await score(editModel(t, "bert", { files: shards(narrow, 2) }));
    assertClose(found.logits, reference.logits, 1e-6);
  });

  it("NaN and infinity are found there too", async (t) => {
    for (const [type, bits] of [
      ["F16", 0x7c00],
      ["BF16", 0xff81],
    ] as const) {
      const { narrow } = narrowed(type);
      narrow.get("bert.pooler.dense.weight")!.bytes.writeUInt16LE(bits, 64);
      const folder = editModel(t, "bert", { files: { "model.safetensors": pack(narrow) } });
      await assert.rejects(score(folder), failsWith("MODEL_INVALID", "bert.pooler.dense.weight"));
    }
  });
});

describe("converted weights", () => {
  const files = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".f32"));

  it("are made once, shared, and made again when damaged", async (t) => {
    process.env.BGE_RERANKER_CACHE = temporaryFolder(t);
    const { narrow } = narrowed("F16");
    const folder = editModel(t, "bert", { files: { "model.safetensors": pack(narrow) } });
    const first = await score(folder);
    const [file, ...more] = files(process.env.BGE_RERANKER_CACHE);
    assert.ok(file && more.length === 0);
    const path = join(process.env.BGE_RERANKER_CACHE, file);
    const content = readFileSync(path);
    assert.deepEqual((await score(folder)).logits, first.logits);
    assert.equal(files(process.env.BGE_RERANKER_CACHE).length, 1);
    const flipped = Buffer.from(content);
    flipped[1000]! ^= 0x40;
    for (const damage of [() => truncateSync(path, 1000), () => writeFileSync(path, flipped), () => rmSync(path)]) {
      damage();
      assert.deepEqual((await score(folder)).logits, first.logits);
      assert.ok(readFileSync(path).equals(content));
    }
  });

  it("are kept in memory where no cache can be written, with one warning", async (t) => {
    const { narrow } = narrowed("BF16");
    const folder = editModel(t, "bert", { files: { "model.safetensors": pack(narrow) } });
    const { logits } = await score(folder);
    process.env.BGE_RERANKER_CACHE = join(folder, "config.json", "cache");
    const found = await score(folder);
    assert.deepEqual(found.logits, logits);
    assert.equal(found.warnings.length, 1, found.warnings.join("\n"));
    assert.match(found.warnings[0]!, /BGE_RERANKER_CACHE/);
  });

  it("are kept in memory beside tensors that stay in their file", async (t) => {
    const { narrow } = narrowed("F16", (name) => name.includes("layer.0") || name.includes("word_embeddings"));
    const folder = editModel(t, "bert", { files: { "model.safetensors": pack(narrow) } });
    const { logits } = await score(folder);
    process.env.BGE_RERANKER_CACHE = join(folder, "config.json", "cache");
    assert.deepEqual((await score(folder)).logits, logits);
  });

  it("are another model's when its file changes", async (t) => {
    const { narrow } = narrowed("F16");
    const folder = editModel(t, "bert", { files: { "model.safetensors": pack(narrow) } });
    const before = await score(folder);
    const bias = narrow.get("classifier.bias")!;
    bias.bytes.writeUInt16LE(encode(3, "F16"));
    writeFileSync(join(folder, "model.safetensors"), pack(narrow));
    const { logits } = await score(folder);
    const shift = logits[0]! - before.logits[0]!;
    assert.ok(Math.abs(shift) > 1);
    assertClose(
      logits.map((logit) => logit - shift),
      before.logits,
      1e-5,
    );
  });
});
