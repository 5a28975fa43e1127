import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { RerankError, type RerankErrorCode } from "../../src/errors.js";
import { isKnownFamily, parseConfig } from "../../src/model/config.js";
import { fixture } from "../support/paths.js";

type Config = Record<string, unknown>;

function config(model: string, changes: Config = {}): Config {
  const read = JSON.parse(readFileSync(fixture(`models/${model}/config.json`), "utf8")) as Config;
  const merged = { ...read, ...changes };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
}

function refuses(changes: Config, code: RerankErrorCode, ...said: string[]): void {
  assert.throws(
    () => parseConfig(config("xlmr", changes)),
    (error) => {
      assert.ok(error instanceof RerankError, String(error));
      assert.equal(error.code, code, error.message);
      for (const text of said) assert.ok(error.message.includes(text), `${error.message} should say ${text}`);
      return true;
    },
    JSON.stringify(changes),
  );
}

describe("parseConfig", () => {
  it("reads the numbers of XLM-R, whose positions start behind the padding index", () => {
    assert.deepEqual(parseConfig(config("xlmr")), {
      family: "xlm-roberta",
      layers: 2,
      hidden: 64,
      heads: 4,
      ffn: 128,
      vocab: 2602,
      positions: 514,
      types: 1,
      layerNormEps: 1e-5,
      firstPosition: 2,
      maxLength: 512,
    });
  });

  it("reads BERT, whose positions start at 0", () => {
    const { family, firstPosition, maxLength, types } = parseConfig(config("bert"));
    assert.deepEqual(
      { family, firstPosition, maxLength, types },
      {
        family: "bert",
        firstPosition: 0,
        maxLength: 512,
        types: 2,
      },
    );
  });

  it("takes another padding index into account", () => {
    const { firstPosition, maxLength } = parseConfig(config("xlmr", { pad_token_id: 5 }));
    assert.deepEqual([firstPosition, maxLength], [6, 508]);
  });

  it("takes one label, however it is written", () => {
    for (const labels of [{ id2label: { 0: "relevance" } }, { id2label: undefined, num_labels: 1 }]) {
      assert.equal(parseConfig(config("xlmr", { label2id: undefined, ...labels })).family, "xlm-roberta");
    }
  });

  it("fills in what older configurations leave out", () => {
    const gone = { hidden_act: undefined, position_embedding_type: undefined, is_decoder: undefined };
    assert.equal(parseConfig(config("bert", { ...gone, type_vocab_size: undefined })).types, 2);
    assert.equal(parseConfig(config("bert", { layer_norm_eps: undefined })).layerNormEps, 1e-12);
  });

  it("knows its three families", () => {
    for (const family of ["xlm-roberta", "roberta", "bert"]) assert.ok(isKnownFamily(family));
    for (const other of ["deberta-v2", "BERT", "", undefined, null, 3, ["bert"]]) assert.ok(!isKnownFamily(other));
  });
});

describe("parseConfig refuses", () => {
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

  it("models of a known family that are no classifiers, such as embedding models", () => {
    refuses({ architectures: ["XLMRobertaModel"] }, "MODEL_UNSUPPORTED", "XLMRobertaModel");
    assert.equal(parseConfig(config("xlmr", { architectures: undefined })).family, "xlm-roberta");
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
