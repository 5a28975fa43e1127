import assert from "node:assert/strict";
import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RerankError, type RerankErrorCode } from "../../src/errors.js";
import { readNetwork } from "../../src/graph/architectures/list.js";
import { readCheckpoint } from "../../src/model/safetensors.js";
import { checkFinite, openWeights, readTensor } from "../../src/model/weights.js";
import { pack, readTensors, safetensors, type Tensors } from "../support/checkpoint.js";
import { fixture, temporaryFolder } from "../support/paths.js";

const BASE = {
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
  max_position_embeddings: 514,
  id2label: { 0: "LABEL_0" },
};
const NETWORKS = {
  xlmr: readNetwork({ ...BASE, model_type: "xlm-roberta", vocab_size: 2602, type_vocab_size: 1 }),
  roberta: readNetwork({ ...BASE, model_type: "roberta", vocab_size: 761, type_vocab_size: 1 }),
  bert: readNetwork({ ...BASE, model_type: "bert", vocab_size: 1500, max_position_embeddings: 512 }),
};
type Kind = keyof typeof NETWORKS;

function checkpoint(context: TestContext, kind: Kind, edit: (tensors: Tensors) => void): string {
  const tensors = readTensors(fixture(`models/${kind}/model.safetensors`));
  edit(tensors);
  const path = join(temporaryFolder(context), "model.safetensors");
  writeFileSync(path, pack(tensors));
  return path;
}

function failsWith(code: RerankErrorCode, ...said: string[]) {
  return (error: unknown) => {
    assert.ok(error instanceof RerankError, String(error));
    assert.equal(error.code, code, error.message);
    for (const text of said) assert.ok(error.message.includes(text), `${error.message} should say ${text}`);
    return true;
  };
}

function refuses(context: TestContext, kind: Kind, edit: (tensors: Tensors) => void, ...said: string[]): void {
  const path = checkpoint(context, kind, edit);
  assert.throws(() => openWeights([path], NETWORKS[kind]), failsWith("MODEL_INVALID", ...said));
}

test("the tensors of each family, as PyTorch's classes name them", () => {
  for (const kind of ["xlmr", "roberta", "bert"] as const) {
    const file = fixture(`models/${kind}/model.safetensors`);
    const weights = openWeights([file], NETWORKS[kind]);
    assert.deepEqual([...weights.keys()].sort(), [...readTensors(file).keys()].sort());
    checkFinite(weights);
  }
});

test("buffers and poolers that no classifier reads are passed over", (t) => {
  const path = checkpoint(t, "xlmr", (tensors) => {
    tensors.set("roberta.embeddings.position_ids", { dtype: "I64", shape: [1, 2], bytes: Buffer.alloc(16) });
    tensors.set("roberta.pooler.dense.weight", { dtype: "F32", shape: [1], bytes: Buffer.alloc(4) });
  });
  const weights = openWeights([path], NETWORKS.xlmr);
  assert.ok(!weights.has("roberta.embeddings.position_ids") && !weights.has("roberta.pooler.dense.weight"));
});

test("missing tensors are named, and how many there are", (t) => {
  const gone = "roberta.encoder.layer.1.attention.self.key.bias";
  refuses(t, "xlmr", (tensors) => void tensors.delete(gone), "1 tensor", gone, "missing");
  refuses(t, "bert", (tensors) => void tensors.clear(), "41 tensors", "bert.embeddings.word_embeddings.weight");
});

test("tensors that do not belong are named", (t) => {
  const more = { dtype: "F32", shape: [1], bytes: Buffer.alloc(4) };
  refuses(t, "xlmr", (tensors) => void tensors.set("roberta.encoder.layer.2.output.dense.bias", more), "layer.2");
  refuses(t, "bert", (tensors) => void tensors.set("lm_head.bias", more), "lm_head.bias");
  refuses(t, "xlmr", (tensors) => void tensors.set("my.roberta.pooler.dense.bias", more), "my.roberta");
});

test("misshapen tensors are named with both shapes", (t) => {
  const name = "roberta.encoder.layer.0.intermediate.dense.weight";
  const reshape = (shape: number[]) => (tensors: Tensors) => void Object.assign(tensors.get(name)!, { shape });
  refuses(t, "xlmr", reshape([64, 128]), name, "[64,128]", "[128,64]");
  refuses(t, "xlmr", reshape([128 * 64]), name, "[8192]");
});

test("a head of several labels is told apart from a damaged file", (t) => {
  const widen = (name: string) => (tensors: Tensors) => {
    const { bytes } = tensors.get(`${name}.weight`)!;
    tensors.set(`${name}.weight`, { dtype: "F32", shape: [2, 64], bytes: Buffer.concat([bytes, bytes]) });
    tensors.set(`${name}.bias`, { dtype: "F32", shape: [2], bytes: Buffer.alloc(8) });
  };
  for (const [kind, name] of [
    ["xlmr", "classifier.out_proj"],
    ["bert", "classifier"],
  ] as const) {
    const path = checkpoint(t, kind, widen(name));
    assert.throws(() => openWeights([path], NETWORKS[kind]), failsWith("MODEL_UNSUPPORTED", "2 labels", "one label"));
  }
});

test("a bare encoder without a head lacks the head", (t) => {
  const headless = (tensors: Tensors) => {
    for (const name of tensors.keys()) if (name.startsWith("classifier")) tensors.delete(name);
  };
  refuses(t, "xlmr", headless, "4 tensors", "classifier.dense.weight");
});

test("weights of a type that is no float", (t) => {
  const name = "bert.pooler.dense.bias";
  refuses(
    t,
    "bert",
    (tensors) => void Object.assign(tensors.get(name)!, { dtype: "I32" }),
    name,
    "I32",
    "F32, F16 or BF16",
  );
});

/** Bits that stand for NaN or infinity, and for the largest finite numbers, in each type. */
const BITS = {
  F32: {
    bad: [0x7fc00000, 0xffc00000, 0x7f800001, 0x7f800000, 0xff800000],
    good: [0x7f7fffff, 0xff7fffff, 1, 0x80000000],
  },
  F16: { bad: [0x7e00, 0xfe00, 0x7c01, 0x7c00, 0xfc00], good: [0x7bff, 0xfbff, 1, 0x8000] },
  BF16: { bad: [0x7fc0, 0xffc0, 0x7f81, 0x7f80, 0xff80], good: [0x7f7f, 0xff7f, 1, 0x8000] },
} as const;

test("NaN and infinity are found in every float type, at every place, and nothing else is", (t) => {
  const path = join(temporaryFolder(t), "model.safetensors");
  for (const [dtype, { bad, good }] of Object.entries(BITS)) {
    const size = dtype === "F32" ? 4 : 2;
    // more than one of the pieces in which a tensor is read
    const count = (1 << 23) / size + 3;
    const header = { w: { dtype, shape: [count], data_offsets: [0, count * size] } };
    writeFileSync(path, safetensors(header, [Buffer.alloc(count * size)]));
    const weights = readCheckpoint([path]);
    const put = (at: number, bits: number) => {
      const fd = openSync(path, "r+");
      const word = size === 4 ? new Uint32Array([bits]) : new Uint16Array([bits]);
      writeSync(fd, word, 0, size, weights.get("w")!.offset + at * size);
      closeSync(fd);
    };
    for (const [at, bits] of good.entries()) put(at, bits);
    checkFinite(weights);
    for (const [i, bits] of bad.entries()) {
      const at = [0, 1, (1 << 22) / size, count - 2, count - 1][i]!;
      put(at, bits);
      assert.throws(
        () => checkFinite(weights),
        failsWith("MODEL_INVALID", "Tensor w", "NaN or infinite"),
        `${dtype} ${at}`,
      );
      put(at, 0);
    }
  }
});

test("a tensor is read whole, in order", (t) => {
  const bytes = Buffer.from(Uint8Array.from({ length: (1 << 22) * 2 + 12 }, (_, i) => (i * 31 + (i >> 12)) & 255));
  const path = join(temporaryFolder(t), "model.safetensors");
  writeFileSync(
    path,
    safetensors({ w: { dtype: "U8", shape: [bytes.length], data_offsets: [0, bytes.length] } }, [bytes]),
  );
  const pieces = [...readTensor(readCheckpoint([path]).get("w")!)].map((piece) => piece.length);
  assert.ok(pieces.length > 1);
  const copies: Buffer[] = [];
  for (const piece of readTensor(readCheckpoint([path]).get("w")!)) copies.push(Buffer.from(piece));
  assert.ok(Buffer.concat(copies).equals(bytes));
});

test("a file that shrinks while it is read", (t) => {
  const path = checkpoint(t, "bert", () => {});
  const weights = openWeights([path], NETWORKS.bert);
  truncateSync(path, 5000);
  assert.throws(() => checkFinite(weights), failsWith("MODEL_INVALID", "ended while it was read"));
});
