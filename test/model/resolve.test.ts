import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { resolveModel } from "../../src/engine/resolve-model.js";
import { hubCacheDir } from "../../src/model/hub/environment.js";
import { fixture, repoRoot, temporaryFolder } from "../support/paths.js";

const XLMR = JSON.stringify({
  model_type: "xlm-roberta",
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 16,
  vocab_size: 20,
  max_position_embeddings: 34,
  type_vocab_size: 1,
  layer_norm_eps: 1e-5,
  pad_token_id: 1,
  id2label: { 0: "LABEL_0" },
});
const DEBERTA = JSON.stringify({ model_type: "deberta-v2" });

function makeFolder(folder: string, files: Record<string, string>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

test("a folder: every file that is needed, with its absolute path, and no other", async (t) => {
  const folder = makeFolder(temporaryFolder(t), {
    "config.json": XLMR,
    "tokenizer.json": "{}",
    "special_tokens_map.json": "{}",
    "model.safetensors": "x",
    "onnx/model.onnx": "x",
    "README.md": "x",
  });
  const found = await resolveModel(folder);
  assert.equal(found.model, folder);
  assert.equal(found.revision, undefined);
  const names = ["config.json", "tokenizer.json", "model.safetensors"];
  assert.deepEqual(found.paths, Object.fromEntries(names.map((name) => [name, join(folder, name)])));
});

test("a relative path, an existing folder and ~ name folders", async () => {
  const folder = fixture("models/xlmr");
  const below = relative(process.cwd(), folder);
  for (const model of [below, `./${below}`, `~/${relative(homedir(), folder)}`]) {
    const { paths } = await resolveModel(model);
    assert.equal(paths["model.safetensors"], join(folder, "model.safetensors"), model);
  }
});

test("mini is the folder inside the package", async () => {
  const { paths } = await resolveModel("mini");
  assert.equal(paths["config.json"], join(repoRoot, "models", "mini", "config.json"));
  assert.ok(paths["model.safetensors"]);
});

test("an architecture that we do not know runs from the repository's own ONNX, external data included", async (t) => {
  const folder = makeFolder(temporaryFolder(t), {
    "config.json": DEBERTA,
    "tokenizer.json": "{}",
    "model.safetensors": "x",
    "onnx/model.onnx": "x",
    "onnx/model.onnx_data": "x",
    "onnx/model.onnx_data_1": "x",
    "onnx/model_quantized.onnx": "x",
  });
  const { paths } = await resolveModel(folder);
  const weights = ["onnx/model.onnx", "onnx/model.onnx_data", "onnx/model.onnx_data_1"];
  assert.deepEqual(Object.keys(paths), ["config.json", "tokenizer.json", ...weights]);
  assert.equal(paths["onnx/model.onnx_data"], join(folder, "onnx", "model.onnx_data"));
});

test("a known architecture without safetensors runs from ONNX", async (t) => {
  const files = { "config.json": XLMR, "tokenizer.json": "{}", "onnx/model.onnx": "x" };
  const { paths } = await resolveModel(makeFolder(temporaryFolder(t), files));
  assert.deepEqual(Object.keys(paths), ["config.json", "tokenizer.json", "onnx/model.onnx"]);
});

test("shards: the index and every file that it names", async (t) => {
  const index = { weight_map: { a: "model-00002-of-00002.safetensors", b: "model-00001-of-00002.safetensors" } };
  const folder = makeFolder(temporaryFolder(t), {
    "config.json": XLMR,
    "tokenizer.json": "{}",
    "model.safetensors.index.json": JSON.stringify(index),
    "model-00001-of-00002.safetensors": "x",
    "model-00002-of-00002.safetensors": "x",
    "model-00003-of-00002.safetensors": "x",
  });
  const { paths } = await resolveModel(folder);
  assert.deepEqual(Object.keys(paths).slice(2), [
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
  ]);
});

const base = { "config.json": XLMR, "tokenizer.json": "{}" };
const INDEX = "model.safetensors.index.json";
const indexOf = (...shards: unknown[]) => JSON.stringify({ weight_map: Object.fromEntries(shards.entries()) });
const broken: [what: string, files: Record<string, string>, code: string, message: RegExp][] = [
  ["no config.json", { "tokenizer.json": "{}", "model.safetensors": "x" }, "MODEL_NOT_FOUND", /no config\.json/],
  ["a config.json that is no JSON", { ...base, "config.json": "{" }, "MODEL_INVALID", /config\.json .*JSON object/],
  ["a config.json that is a list", { ...base, "config.json": "[]" }, "MODEL_INVALID", /config\.json .*JSON object/],
  ["no tokenizer", { "config.json": XLMR, "model.safetensors": "x" }, "MODEL_INVALID", /no tokenizer\.json/],
  [
    "a SentencePiece model only",
    { "config.json": XLMR, "sentencepiece.bpe.model": "x", "model.safetensors": "x" },
    "MODEL_UNSUPPORTED",
    /only sentencepiece\.bpe\.model.*save_pretrained/,
  ],
  ["vocab.txt only", { "config.json": XLMR, "vocab.txt": "x" }, "MODEL_UNSUPPORTED", /only vocab\.txt.*AutoTokenizer/],
  ["no weights", base, "MODEL_UNSUPPORTED", /no model\.safetensors and no onnx/],
  [
    "PyTorch weights only",
    { ...base, "pytorch_model.bin": "x" },
    "MODEL_UNSUPPORTED",
    /only pytorch_model\.bin.*safe_serialization/,
  ],
  ["empty weights", { ...base, "model.safetensors": "" }, "MODEL_UNSUPPORTED", /no model\.safetensors/],
  [
    "an unknown architecture without ONNX",
    { ...base, "config.json": DEBERTA, "model.safetensors": "x" },
    "MODEL_UNSUPPORTED",
    /deberta-v2/,
  ],
  ["a shard in another folder", { ...base, [INDEX]: indexOf("../x.safetensors") }, "MODEL_INVALID", /\.\.\/x/],
  ["a shard at an absolute path", { ...base, [INDEX]: indexOf("/etc/x.safetensors") }, "MODEL_INVALID", /\/etc\/x/],
  ["a shard at a Windows path", { ...base, [INDEX]: indexOf("..\\x.safetensors") }, "MODEL_INVALID", /plain file name/],
  ["a shard that is no name", { ...base, [INDEX]: indexOf(7) }, "MODEL_INVALID", /shard 7/],
  ["a missing shard", { ...base, [INDEX]: indexOf("a.safetensors") }, "MODEL_INVALID", /lacks a\.safetensors/],
  ["an index of nothing", { ...base, [INDEX]: "{}" }, "MODEL_INVALID", /names no shards/],
];
for (const [what, files, code, message] of broken) {
  test(`a folder with ${what} is refused`, async (t) => {
    await assert.rejects(resolveModel(makeFolder(temporaryFolder(t), files)), { name: "RerankError", code, message });
  });
}

test("a name that is nothing says what was looked for", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "model.safetensors"), "x");
  const absent: [string, RegExp][] = [
    [join(folder, "absent"), /there is no folder .*absent/],
    ["./absent", /there is no folder .*absent/],
    ["C:\\models\\absent", /there is no folder .*absent/],
    ["..\\absent", /there is no folder/],
    ["~/absent-model", new RegExp(`there is no folder ${homedir()}.absent-model`)],
    [join(folder, "model.safetensors"), /expected a folder, not a file/],
    ["three/part/name", /no folder .*three.part.name.*hub id/],
    ["https://huggingface.co/BAAI/bge-reranker-base", /hub id/],
    ["owner/../name", /hub id/],
    ["owner/name.git", /hub id/],
    ["a--b/name", /hub id/],
  ];
  for (const [model, message] of absent) {
    await assert.rejects(resolveModel(model, { localFilesOnly: true }), { code: "MODEL_NOT_FOUND", message }, model);
  }
});

test("options are checked at the door", async () => {
  const fail = async (model: unknown, options: object, message: RegExp) =>
    await assert.rejects(resolveModel(model as string, options), { code: "OPTION_INVALID", message });
  await fail("", {}, /model is ""/);
  await fail(undefined, {}, /model is undefined/);
  await fail(fixture("models/xlmr"), { revision: "main" }, /only hub models have revisions/);
  await fail("owner/name", { endpoint: "huggingface.co" }, /"huggingface\.co".*https/);
  await fail("owner/name", { endpoint: "ftp://huggingface.co" }, /ftp/);
  for (const revision of ["../main", "a/../b", "/main", "main/", "", "a b", "a\\b"]) {
    await fail("owner/name", { revision, localFilesOnly: true }, /revision is/);
  }
  await assert.rejects(resolveModel("owner/name", { token: "a secret", localFilesOnly: false }), (error: Error) => {
    assert.match(error.message, /token/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});

test("the cache folder follows the variables of huggingface_hub", () => {
  const home = homedir();
  const cases: [Record<string, string>, string][] = [
    [{}, join(home, ".cache", "huggingface", "hub")],
    [{ XDG_CACHE_HOME: "/xdg" }, "/xdg/huggingface/hub"],
    [{ XDG_CACHE_HOME: "/xdg", HF_HOME: "/home" }, "/home/hub"],
    [{ HF_HOME: "/home", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
    [{ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" }, "/new"],
    [{ HF_HOME: "~/hf" }, join(home, "hf", "hub")],
    [{ HF_HUB_CACHE: "$DISK/a/$" + "{NAME}", DISK: "/disk", NAME: "n" }, "/disk/a/n"],
    [{ HF_HOME: "" }, join(home, ".cache", "huggingface", "hub")],
  ];
  for (const [variables, expected] of cases) assert.equal(hubCacheDir({}, variables), expected);
  assert.equal(hubCacheDir({ cacheDir: "/mine" }, { HF_HUB_CACHE: "/new" }), "/mine");
});
