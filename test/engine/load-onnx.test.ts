import assert from "node:assert/strict";
import { readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type DataTypeName, Graph } from "../../src/graph/onnx.js";
import { loadReranker } from "../../src/rerankers/load.js";
import { editModel, useOwnCache } from "../support/checkpoint.js";
import { openTokenizer } from "../support/engine.js";
import { failsWith } from "../support/errors.js";
import { fixture } from "../support/paths.js";

useOwnCache();

const VOCAB = 1500;
/** A token's weight in the sum that our made-up model computes. */
const weight = (id: number) => ((id * 37) % 101) / 10 - 5;
/** Bytes in front of the weights in the data file. */
const OFFSET = 64;

interface Shape {
  /** Declared inputs and their type. */
  inputs?: Record<string, DataTypeName>;
  /** Adds the output; `sum` is float [batch, 1]. */
  output?: (graph: Graph, sum: string) => void;
}

/**
 * A model that sums its tokens' weights where the mask is 1, and adds 1000 for each token of type 1. The weights lie in
 * a file beside the graph.
 */
function onnx({ inputs = { input_ids: "int64", attention_mask: "int64" }, output = plainOutput }: Shape): Buffer {
  const graph = new Graph();
  for (const [name, type] of Object.entries(inputs)) graph.input(name, type, ["batch", "sequence"]);
  const length = VOCAB * 4;
  const table = graph.initializer("table", "float", [VOCAB], { location: "model.onnx_data", offset: OFFSET, length });
  const asFloat = (name: string) => graph.node("Cast", [name], { to: 1 });
  let scores = graph.node("Gather", [table, "input_ids"], { axis: 0 });
  if ("attention_mask" in inputs) scores = graph.node("Mul", [scores, asFloat("attention_mask")]);
  if ("token_type_ids" in inputs) {
    const thousand = graph.constant("float", [1000], []);
    scores = graph.node("Add", [scores, graph.node("Mul", [asFloat("token_type_ids"), thousand])]);
  }
  output(graph, graph.node("ReduceSum", [scores, graph.constant("int64", [1])], { keepdims: 1 }));
  return Buffer.from(graph.finish("sum"));
}

function plainOutput(graph: Graph, sum: string): void {
  graph.node("Identity", [sum], {}, "logits");
  graph.output("logits", "float", ["batch", 1]);
}

/** A folder with that model, of an architecture that we have no graph for. */
function folderOf(
  context: TestContext,
  shape: Shape = {},
  files: Record<string, Buffer | string | undefined> = {},
): string {
  const data = Buffer.alloc(OFFSET + VOCAB * 4);
  data.writeInt8(127, 0);
  for (let id = 0; id < VOCAB; id++) data.writeFloatLE(weight(id), OFFSET + id * 4);
  return editModel(context, "bert", {
    config: (config) => void Object.assign(config, { model_type: "modernbert" }),
    files: { "onnx/model.onnx": onnx(shape), "onnx/model.onnx_data": data, "model.safetensors": undefined, ...files },
  });
}

const PAIRS: [string, string][] = [
  ["server", "error"],
  ["why did the server process terminate", "out of memory"],
  ["server", "the server process terminated unexpectedly ".repeat(10)],
  ["", ""],
];

/** What the model must say, from the tokens alone. */
async function expected(types: boolean): Promise<number[]> {
  const tokenizer = await openTokenizer(fixture("models/bert"));
  return PAIRS.map(([query, passage]) => {
    const { ids, firstSegment } = tokenizer.pair(tokenizer.encode(query), tokenizer.encode(passage), 512);
    const sum = ids.reduce((total, id) => total + weight(id), 0);
    return sum + (types ? 1000 * (ids.length - firstSegment) : 0);
  });
}

async function scores(folder: string): Promise<number[]> {
  const reranker = await loadReranker(folder, { device: "cpu", worker: false });
  try {
    assert.equal(reranker.info?.architecture, "onnx");
    return await reranker.computeScore(PAIRS);
  } finally {
    await reranker.dispose();
  }
}

function assertClose(actual: number[], wanted: number[]): void {
  for (const [i, value] of wanted.entries())
    assert.ok(Math.abs(actual[i]! - value) < 0.01, `${actual[i]}, not ${value}`);
}

describe("a repository's own ONNX graph", () => {
  it("gets the inputs that it declares, with data beside it, pairs of different lengths in one run", async (t) => {
    assertClose(await scores(folderOf(t)), await expected(false));
  });

  it("gets token types where it asks for them", async (t) => {
    const inputs = { input_ids: "int64", token_type_ids: "int64", attention_mask: "int64" } as const;
    assertClose(await scores(folderOf(t, { inputs })), await expected(true));
  });

  it("gets int32 and float where it asks for them", async (t) => {
    const inputs = { input_ids: "int32", attention_mask: "float", token_type_ids: "int32" } as const;
    assertClose(await scores(folderOf(t, { inputs })), await expected(true));
  });

  it("may call its only output as it likes, and give one number or a list of one for each pair", async (t) => {
    const output = (graph: Graph, sum: string) => {
      graph.node("Squeeze", [sum, graph.constant("int64", [1])], {}, "score");
      graph.output("score", "float", ["batch"]);
    };
    assertClose(await scores(folderOf(t, { output })), await expected(false));
  });

  it("may have more outputs beside logits", async (t) => {
    const output = (graph: Graph, sum: string) => {
      graph.node("Neg", [sum], {}, "attentions");
      graph.output("attentions", "float", ["batch", 1]);
      plainOutput(graph, sum);
    };
    assertClose(await scores(folderOf(t, { output })), await expected(false));
  });
});

describe("an ONNX graph with dynamic quantization", () => {
  const output = (graph: Graph, sum: string) => {
    const one = graph.initializer("one", "int8", [1, 1], { location: "model.onnx_data", offset: 0, length: 1 });
    const scale = graph.constant("float", [1 / 127]);
    graph.node("com.microsoft:DynamicQuantizeMatMul", [sum, one, scale], {}, "logits");
    graph.output("logits", "float", ["batch", 1]);
  };

  it("is int8, and gives each pair the score that it has alone", async (t) => {
    const folder = folderOf(t, { output });
    await using reranker = await loadReranker(folder, { device: "cpu", worker: false });
    assert.equal(reranker.info?.dtype, "int8");
    const together = await reranker.computeScore(PAIRS);
    for (const [i, pair] of PAIRS.entries()) assert.equal(await reranker.computeScore(pair), together[i]);
    const refused = loadReranker(folder, { device: "cpu", dtype: "fp32", worker: false });
    await assert.rejects(refused, failsWith("OPTION_INVALID", '"fp32"', '"int8"'));
  });
});

describe("an ONNX graph is refused", () => {
  const refuses = (what: string, shape: Shape, ...said: string[]) =>
    it(what, async (t) => {
      await assert.rejects(scores(folderOf(t, shape)), failsWith("MODEL_UNSUPPORTED", ...said));
    });

  refuses(
    "with an input that no cross-encoder has",
    { inputs: { input_ids: "int64", pixel_values: "float" } },
    "pixel_values",
  );
  refuses(
    "with two labels",
    {
      output: (graph, sum) => {
        graph.node("Concat", [sum, sum], { axis: 1 }, "logits");
        graph.output("logits", "float", ["batch", 2]);
      },
    },
    "2 outputs for 1 pair",
  );
  refuses(
    "that gives hidden states",
    {
      output: (graph, sum) => {
        const rows = graph.node("Unsqueeze", [sum, graph.constant("int64", [2])]);
        graph.node("Concat", Array(8).fill(rows) as string[], { axis: 2 }, "last_hidden_state");
        graph.output("last_hidden_state", "float", ["batch", 1, 8]);
      },
    },
    "8 outputs",
  );
  refuses(
    "with several outputs, none of them logits",
    {
      output: (graph, sum) => {
        for (const name of ["a", "b"]) {
          graph.node("Identity", [sum], {}, name);
          graph.output(name, "float", ["batch", 1]);
        }
      },
    },
    '"a"',
    '"b"',
    '"logits"',
  );
  refuses(
    "whose logits are no float32",
    {
      output: (graph, sum) => {
        graph.node("Cast", [sum], { to: 10 }, "logits");
        graph.output("logits", "float16", ["batch", 1]);
      },
    },
    "float16",
  );

  it("that gives NaN", async (t) => {
    const output = (graph: Graph, sum: string) => {
      const zero = graph.node("Sub", [sum, sum]);
      graph.node("Div", [zero, zero], {}, "logits");
      graph.output("logits", "float", ["batch", 1]);
    };
    await assert.rejects(scores(folderOf(t, { output })), failsWith("MODEL_INVALID", "NaN", "trial pair"));
  });

  it("that is damaged, or whose data is missing or cut off: the model is at fault, not the device", async (t) => {
    const damaged = folderOf(t, {}, { "onnx/model.onnx": Buffer.from("<html>not found</html>") });
    await assert.rejects(scores(damaged), failsWith("MODEL_INVALID", "onnx/model.onnx"));
    const bare = folderOf(t, {}, { "onnx/model.onnx_data": undefined });
    await assert.rejects(scores(bare), failsWith("MODEL_INVALID", "onnx/model.onnx"));
    const cut = folderOf(t);
    truncateSync(join(cut, "onnx", "model.onnx_data"), 1000);
    await assert.rejects(scores(cut), failsWith("MODEL_INVALID", "onnx/model.onnx"));
  });

  it("when int8 is asked for, which only our own graphs have", async (t) => {
    const refused = loadReranker(folderOf(t), { device: "cpu", dtype: "int8", worker: false });
    await assert.rejects(refused, failsWith("OPTION_INVALID", "int8", "fp32"));
  });
});

describe("the limit of an ONNX graph", () => {
  async function limit(t: TestContext, settings: Record<string, unknown>, tokenizer?: object): Promise<number> {
    const source = folderOf(t);
    const onnx = (name: string) => readFileSync(join(source, "onnx", name));
    const folder = editModel(t, "bert", {
      config: (config) => void Object.assign(config, settings),
      files: {
        "model.safetensors": undefined,
        "onnx/model.onnx": onnx("model.onnx"),
        "onnx/model.onnx_data": onnx("model.onnx_data"),
        ...(tokenizer && { "tokenizer_config.json": JSON.stringify(tokenizer) }),
      },
    });
    await using reranker = await loadReranker(folder, { device: "cpu", worker: false });
    return reranker.info!.maxLength!;
  }

  it("is its position table's, less what RoBERTa's padding index takes", async (t) => {
    assert.equal(await limit(t, { model_type: "xlm-roberta", max_position_embeddings: 130, pad_token_id: 1 }), 128);
  });

  it("is the tokenizer's own where that is smaller, which an architecture that we do not know may need", async (t) => {
    const settings = { model_type: "mpnet", max_position_embeddings: 130, pad_token_id: 1 };
    assert.equal(await limit(t, settings, { model_max_length: 128 }), 128);
    assert.equal(await limit(t, settings, { model_max_length: 1e30 }), 130);
    assert.equal(await limit(t, settings, {}), 130);
  });
});
