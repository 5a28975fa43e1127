import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { RerankErrorCode } from "../../src/errors.js";
import { loadReranker } from "../../src/rerankers/load.js";
import {
  editModel,
  headerOf,
  type ModelEdit,
  pack,
  readTensors,
  safetensors,
  type Tensors,
  useOwnCache,
} from "../support/checkpoint.js";
import { failsWith } from "../support/errors.js";
import { fixture } from "../support/paths.js";

useOwnCache();

const KEY = "bert.encoder.layer.1.attention.self.key.weight";
const original = () => readTensors(fixture("models/bert/model.safetensors"));

/** Another value in config.json. */
const setting = (key: string, value: unknown): ModelEdit => ({
  config: (config) => void Object.assign(config, { [key]: value }),
});

/** The checkpoint with one value of one tensor replaced. */
const withValue = (name: string, value: number): ModelEdit => ({
  tensors: (tensors) => void tensors.get(name)!.bytes.writeFloatLE(value, 40),
});

/** The checkpoint's file with another header, or cut off. */
const withFile = (make: (whole: Buffer, tensors: Tensors) => Buffer): ModelEdit => {
  const tensors = original();
  return { files: { "model.safetensors": make(pack(tensors), tensors) } };
};

const withHeader = (change: (header: ReturnType<typeof headerOf>) => unknown): ModelEdit =>
  withFile((_, tensors) => {
    const data = [...tensors.values()].map(({ bytes }) => bytes);
    return safetensors(change(headerOf(tensors)), data);
  });

const twoLabels = (tensors: Tensors) => {
  const weight = tensors.get("classifier.weight")!;
  tensors.set("classifier.weight", { ...weight, shape: [2, 64], bytes: Buffer.concat([weight.bytes, weight.bytes]) });
  tensors.set("classifier.bias", { dtype: "F32", shape: [2], bytes: Buffer.alloc(8) });
};

type Case = [what: string, edit: ModelEdit, code: RerankErrorCode, ...said: (string | RegExp)[]];

const CHECKPOINTS: Case[] = [
  ["a missing tensor", { tensors: (tensors) => void tensors.delete(KEY) }, "MODEL_INVALID", KEY, "missing"],
  [
    "an extra tensor",
    { tensors: (tensors) => void tensors.set("lora.A", { dtype: "F32", shape: [1], bytes: Buffer.alloc(4) }) },
    "MODEL_INVALID",
    "lora.A",
  ],
  [
    "a misshapen tensor",
    { tensors: (tensors) => void Object.assign(tensors.get(KEY)!, { shape: [32, 128] }) },
    "MODEL_INVALID",
    KEY,
    "[32,128]",
    "[64,64]",
  ],
  ["fewer layers than config.json says", setting("num_hidden_layers", 3), "MODEL_INVALID", "layer.2"],
  ["more layers", setting("num_hidden_layers", 1), "MODEL_INVALID", "layer.1"],
  ["another vocabulary", setting("vocab_size", 1501), "MODEL_INVALID", "1501"],
  ["NaN in a weight", withValue(KEY, Number.NaN), "MODEL_INVALID", KEY, "NaN"],
  [
    "weights so large that scores overflow",
    withValue("bert.embeddings.LayerNorm.weight", 3e38),
    "MODEL_INVALID",
    "trial pair",
  ],
  [
    "infinity in a weight",
    withValue("classifier.weight", Number.NEGATIVE_INFINITY),
    "MODEL_INVALID",
    "classifier.weight",
  ],
  ["two labels, said by config.json", setting("id2label", { 0: "a", 1: "b" }), "MODEL_UNSUPPORTED", "2 labels"],
  [
    "two labels, not mentioned",
    { config: (config) => void delete config.id2label, tensors: twoLabels },
    "MODEL_UNSUPPORTED",
    "2 labels",
  ],
  ["an empty file", withFile(() => Buffer.alloc(0)), "MODEL_UNSUPPORTED", "model.safetensors"],
  ["a file cut off in the header", withFile((whole) => whole.subarray(0, 100)), "MODEL_INVALID", "header"],
  ["a file cut off in the weights", withFile((whole) => whole.subarray(0, -1)), "MODEL_INVALID", "truncated"],
  [
    "a pointer of Git LFS",
    withFile(() => Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")),
    "MODEL_INVALID",
    "header",
  ],
  [
    "an error page",
    withFile(() => Buffer.from("<!DOCTYPE html><html><body>Not found</body></html>")),
    "MODEL_INVALID",
    "header",
  ],
  [
    "a header larger than the file",
    withFile((whole) => {
      const lying = Buffer.from(whole);
      lying.writeBigUInt64LE(2n ** 62n);
      return lying;
    }),
    "MODEL_INVALID",
    "header claims",
  ],
  ["a header that is no JSON", withFile(() => safetensors("{not json", [])), "MODEL_INVALID", "not JSON"],
  [
    "an unknown type",
    withHeader((header) => ({ ...header, [KEY]: { ...header[KEY], dtype: "F31" } })),
    "MODEL_INVALID",
    "F31",
  ],
  [
    "overlapping tensors",
    withHeader((header) => ({ ...header, [KEY]: header["bert.encoder.layer.0.attention.self.key.weight"] })),
    "MODEL_INVALID",
    "overlap",
  ],
  [
    "offsets that are not the shape's",
    withHeader((header) => ({ ...header, [KEY]: { ...header[KEY], shape: [64, 65] } })),
    "MODEL_INVALID",
    KEY,
    "data offsets",
  ],
];

const CONFIGS: Case[] = [
  [
    "an unknown architecture",
    setting("model_type", "deberta-v2"),
    "MODEL_UNSUPPORTED",
    "deberta-v2",
    "onnx/model.onnx",
  ],
  [
    "no architecture at all",
    { config: (config) => void delete config.model_type },
    "MODEL_UNSUPPORTED",
    "model_type undefined",
  ],
  ["another activation", setting("hidden_act", "silu"), "MODEL_UNSUPPORTED", "silu"],
  ["heads that do not divide", setting("num_attention_heads", 3), "MODEL_INVALID", "3 heads"],
  ["a size that is a string", setting("hidden_size", "64"), "MODEL_INVALID", 'hidden_size is "64"'],
  ["a size beyond reason", setting("num_hidden_layers", 1e9), "MODEL_INVALID", /num_hidden_layers|missing/],
  ["null", { files: { "config.json": "null" } }, "MODEL_INVALID", "config.json"],
  ["a list", { files: { "config.json": "[]" } }, "MODEL_INVALID", "config.json"],
  ["no JSON", { files: { "config.json": "model_type: bert" } }, "MODEL_INVALID", "config.json"],
];

const TOKENIZERS: Case[] = [
  ["no JSON", { files: { "tokenizer.json": "{" } }, "MODEL_INVALID", "tokenizer.json"],
  ["null", { files: { "tokenizer.json": "null" } }, "MODEL_INVALID", "tokenizer.json"],
  ["nothing in it", { files: { "tokenizer.json": "{}" } }, "MODEL_UNSUPPORTED", "tokenizer.json", "template"],
  [
    "no tokenizer_config.json worth the name",
    { files: { "tokenizer_config.json": "7" } },
    "MODEL_INVALID",
    "tokenizer_config.json",
  ],
];

for (const [group, cases] of Object.entries({
  checkpoint: CHECKPOINTS,
  "config.json": CONFIGS,
  tokenizer: TOKENIZERS,
})) {
  describe(`a broken ${group} is refused:`, () => {
    for (const [what, edit, code, ...said] of cases) {
      it(what, async (t) => {
        const folder = editModel(t, "bert", edit);
        await assert.rejects(loadReranker(folder, { device: "cpu", worker: false }), failsWith(code, ...said));
      });
    }
  });
}

describe("a broken model", () => {
  it("is refused alike by the worker thread, cause included", async (t) => {
    const folder = editModel(
      t,
      "bert",
      withFile(() => safetensors("{not json", [])),
    );
    const load = (worker: boolean) => loadReranker(folder, { device: "cpu", worker });
    const error = await load(true).catch((error: Error) => error);
    failsWith("MODEL_INVALID", "not JSON")(error);
    assert.match(String((error as Error).cause), /JSON/);
    await assert.rejects(load(false), { message: (error as Error).message });
  });

  it("with a folder for weights is refused", async (t) => {
    const folder = editModel(t, "bert", {});
    rmSync(join(folder, "model.safetensors"));
    mkdirSync(join(folder, "model.safetensors"));
    await assert.rejects(
      loadReranker(folder, { device: "cpu", worker: false }),
      failsWith("MODEL_UNSUPPORTED", "model.safetensors"),
    );
  });

  it("with a tokenizer that has more tokens fails where one of them comes up, and goes on", async (t) => {
    const folder = editModel(t, "bert", {
      config: (config) => void Object.assign(config, { vocab_size: 400 }),
      tensors: (tensors) => {
        const table = tensors.get("bert.embeddings.word_embeddings.weight")!;
        table.shape[0] = 400;
        table.bytes = table.bytes.subarray(0, 400 * 64 * 4);
      },
    });
    const reranker = await loadReranker(folder, { device: "cpu", worker: false });
    const ok = reranker.score("a", ["b"]);
    await assert.rejects(
      reranker.score("a", ["b", "a server fails to restart"]),
      failsWith("MODEL_INVALID", /token id \d+/, "400"),
    );
    assert.equal((await ok).length, 1);
    assert.equal((await reranker.score("a", ["c"])).length, 1);
    await reranker.dispose();
  });

  it("loads once it has been mended", async (t) => {
    const folder = editModel(t, "bert", withValue(KEY, Number.NaN));
    const load = () => loadReranker(folder, { device: "cpu", worker: false });
    await assert.rejects(load(), failsWith("MODEL_INVALID"));
    writeFileSync(join(folder, "model.safetensors"), pack(original()));
    const reranker = await load();
    assert.equal((await reranker.score("q", ["a"])).length, 1);
    await reranker.dispose();
  });
});
