import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { RerankError, type RerankErrorCode } from "../../../src/errors.js";
import { findArchitecture, readNetwork } from "../../../src/graph/architectures/list.js";
import { fixture } from "../../support/paths.js";

type Config = Record<string, unknown>;

const TYPES = "bert.embeddings.token_type_embeddings.weight";

function config(model: string, changes: Config = {}): Config {
  const read = JSON.parse(readFileSync(fixture(`models/${model}/config.json`), "utf8")) as Config;
  const merged = { ...read, ...changes };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
}

function refuses(changes: Config, code: RerankErrorCode, ...said: string[]): void {
  assert.throws(
    () => readNetwork(config("xlmr", changes)),
    (error) => {
      assert.ok(error instanceof RerankError, String(error));
      assert.equal(error.code, code, error.message);
      for (const text of said) assert.ok(error.message.includes(text), `${error.message} should say ${text}`);
      return true;
    },
    JSON.stringify(changes),
  );
}

describe("readNetwork", () => {
  it("reads the numbers of XLM-R, whose positions start behind the padding index", () => {
    const { architecture, layers, hidden, heads, vocab, maxLength, tensors } = readNetwork(config("xlmr"));
    assert.deepEqual(
      { architecture, layers, hidden, heads, vocab, maxLength },
      { architecture: "xlm-roberta", layers: 2, hidden: 64, heads: 4, vocab: 2602, maxLength: 512 },
    );
    assert.deepEqual(tensors.get("roberta.embeddings.position_embeddings.weight"), [514, 64]);
    assert.deepEqual(tensors.get("roberta.embeddings.token_type_embeddings.weight"), [1, 64]);
    assert.deepEqual(tensors.get("roberta.encoder.layer.1.output.dense.weight"), [64, 128]);
  });

  it("reads BERT, whose positions start at 0", () => {
    const { architecture, maxLength, tensors } = readNetwork(config("bert"));
    assert.deepEqual([architecture, maxLength], ["bert", 512]);
    assert.deepEqual(tensors.get(TYPES), [2, 64]);
  });

  it("takes another padding index into account", () => {
    assert.equal(readNetwork(config("xlmr", { pad_token_id: 5 })).maxLength, 508);
  });

  it("takes one label, however it is written", () => {
    for (const labels of [{ id2label: { 0: "relevance" } }, { id2label: undefined, num_labels: 1 }]) {
      assert.equal(readNetwork(config("xlmr", { label2id: undefined, ...labels })).architecture, "xlm-roberta");
    }
  });

  it("fills in what older configurations leave out", () => {
    const gone = { hidden_act: undefined, position_embedding_type: undefined, is_decoder: undefined };
    const { tensors } = readNetwork(config("bert", { ...gone, type_vocab_size: undefined, layer_norm_eps: undefined }));
    assert.deepEqual(tensors.get(TYPES), [2, 64]);
  });

  it("knows three architectures", () => {
    for (const name of ["xlm-roberta", "roberta", "bert"]) {
      assert.equal(findArchitecture({ model_type: name })?.name, name);
    }
    for (const other of ["deberta-v2", "BERT", "", undefined, null, 3, ["bert"]]) {
      assert.equal(findArchitecture({ model_type: other }), undefined);
    }
  });
});

describe("readNetwork refuses", () => {
  it("another architecture, naming it and those it knows", () => {
    refuses({ model_type: "deberta-v2" }, "MODEL_UNSUPPORTED", "deberta-v2", "xlm-roberta", "bert");
    refuses({ model_type: undefined }, "MODEL_UNSUPPORTED", "undefined");
    refuses({ model_type: ["bert"] }, "MODEL_UNSUPPORTED");
  });

  it("any number of labels but one", () => {
    refuses({ id2label: { 0: "no", 1: "yes" } }, "MODEL_UNSUPPORTED", "2 labels");
    refuses({ id2label: {} }, "MODEL_UNSUPPORTED", "0 labels");
    refuses({ id2label: undefined, num_labels: 3 }, "MODEL_UNSUPPORTED", "3 labels");
    refuses({ id2label: undefined, num_labels: "1" }, "MODEL_UNSUPPORTED", '"1"');
  });

  it("what would change the arithmetic", () => {
    refuses({ hidden_act: "gelu_new" }, "MODEL_UNSUPPORTED", "hidden_act", "gelu_new");
    refuses({ hidden_act: "relu" }, "MODEL_UNSUPPORTED", "relu");
    refuses({ position_embedding_type: "relative_key" }, "MODEL_UNSUPPORTED", "relative_key");
    refuses({ is_decoder: true }, "MODEL_UNSUPPORTED", "is_decoder");
  });

  it("models of a known architecture that are no classifiers, such as embedding models", () => {
    refuses({ architectures: ["XLMRobertaModel"] }, "MODEL_UNSUPPORTED", "XLMRobertaModel");
    assert.equal(readNetwork(config("xlmr", { architectures: undefined })).architecture, "xlm-roberta");
  });

  it("sizes that are no positive integers, naming key and value", () => {
    const keys = ["hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size", "vocab_size"];
    for (const key of [...keys, "max_position_embeddings", "type_vocab_size"]) {
      for (const value of [0, -1, 1.5, "64", Number.MAX_VALUE, [], true]) {
        refuses({ [key]: value }, "MODEL_INVALID", key);
      }
    }
    refuses({ num_hidden_layers: 1e9 }, "MODEL_INVALID", "num_hidden_layers", "1000000000");
    for (const key of keys) refuses({ [key]: undefined }, "MODEL_INVALID", key, "undefined");
  });

  it("heads that do not divide the hidden size", () => {
    refuses({ num_attention_heads: 5 }, "MODEL_INVALID", "64", "5");
  });

  it("a padding index that leaves no position", () => {
    refuses({ pad_token_id: -1 }, "MODEL_INVALID", "pad_token_id", "-1");
    refuses({ pad_token_id: "1" }, "MODEL_INVALID", "pad_token_id");
    refuses({ pad_token_id: 513 }, "MODEL_INVALID", "max_position_embeddings");
    refuses({ pad_token_id: 9999 }, "MODEL_INVALID", "max_position_embeddings");
  });

  it("an epsilon that is no small number", () => {
    for (const value of [-1e-5, 1, "1e-5", Number.NaN])
      refuses({ layer_norm_eps: value }, "MODEL_INVALID", "layer_norm_eps");
  });
});
