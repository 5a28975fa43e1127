import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { Graph } from "../../src/graph/onnx.js";
import { temporaryFolder } from "../support/paths.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** Runs a graph without inputs and returns its output `y`. */
async function evaluate(graph: Graph, folder?: string): Promise<Tensor> {
  const extra = folder && { extra: { session: { model_external_initializers_file_folder_path: folder } } };
  const session = await InferenceSession.create(graph.finish("test"), { ...extra });
  const { y } = await session.run({});
  await session.release();
  return y!;
}

describe("Graph writes what ONNX Runtime reads:", () => {
  it("constants of any value and shape", async () => {
    for (const values of [[0], [-1], [127, 128, 16_384], [2 ** 40, -(2 ** 40)]]) {
      const graph = new Graph();
      graph.node("Identity", [graph.constant("int64", values)], {}, "y");
      graph.output("y", "int64", [values.length]);
      assert.deepEqual([...((await evaluate(graph)).data as BigInt64Array)], values.map(BigInt));
    }
    const graph = new Graph();
    graph.node("Identity", [graph.constant("float", [1.5, -2, 0, 3], [2, 2])], {}, "y");
    graph.output("y", "float", [2, 2]);
    const y = await evaluate(graph);
    assert.deepEqual(
      [[...y.dims], [...(y.data as Float32Array)]],
      [
        [2, 2],
        [1.5, -2, 0, 3],
      ],
    );
  });

  it("scalars", async () => {
    const graph = new Graph();
    graph.node("Identity", [graph.constant("float", [0.25], [])], {}, "y");
    graph.output("y", "float", []);
    assert.deepEqual([...(await evaluate(graph)).dims], []);
  });

  it("attributes: integers, negative ones, lists and floats", async () => {
    const graph = new Graph();
    const x = graph.constant("float", [1, 2, 3, 4, 5, 6], [1, 2, 3]);
    const turned = graph.node("Transpose", [x], { perm: [2, 1, 0] });
    const softmax = graph.node("Softmax", [turned], { axis: -3 });
    graph.node("LeakyRelu", [graph.node("Neg", [softmax])], { alpha: { float: 0.5 } }, "y");
    graph.output("y", "float", [3, 2, 1]);
    // softmax of (1, 2, 3) and of (4, 5, 6) are the same; LeakyRelu halves what is negative
    const exps = [1, 2, 3].map(Math.exp);
    const sum = exps.reduce((a, b) => a + b);
    const y = (await evaluate(graph)).data as Float32Array;
    for (const [i, exp] of exps.entries()) {
      for (const value of [y[2 * i]!, y[2 * i + 1]!]) assert.ok(Math.abs(value + exp / sum / 2) < 1e-6);
    }
  });

  it("operators of com.microsoft, and nodes with left-out inputs", async () => {
    const graph = new Graph();
    const x = graph.constant("float", [1, 1, 1, 1], [1, 1, 4]);
    graph.node("com.microsoft:MultiHeadAttention", [x, x, x, ""], { num_heads: 2 }, "y");
    graph.output("y", "float", [1, 1, 4]);
    assert.deepEqual([...((await evaluate(graph)).data as Float32Array)], [1, 1, 1, 1]);
  });

  it("external data at offsets beyond what one byte, or 32 bits of sign, can say", async (t) => {
    const folder = temporaryFolder(t);
    const values = Float32Array.of(7, 8, 9);
    for (const offset of [0, 200, 70_000]) {
      writeFileSync(join(folder, "data.bin"), Buffer.concat([Buffer.alloc(offset), new Uint8Array(values.buffer)]));
      const graph = new Graph();
      graph.initializer("w", "float", [3], { location: "data.bin", offset, length: 12 });
      graph.node("Identity", ["w"], {}, "y");
      graph.output("y", "float", [3]);
      assert.deepEqual([...((await evaluate(graph, folder)).data as Float32Array)], [7, 8, 9]);
    }
  });

  it("named dimensions", async () => {
    const graph = new Graph();
    graph.node("ReduceSum", [graph.input("x", "int64", ["batch", "sequence"])], { keepdims: 0 }, "y");
    graph.output("y", "int64", []);
    const session = await InferenceSession.create(graph.finish("sum"));
    for (const [rows, columns] of [
      [1, 1],
      [2, 3],
    ] as const) {
      const data = new BigInt64Array(rows * columns).fill(5n);
      const { y } = await session.run({ x: new Tensor("int64", data, [rows, columns]) });
      assert.deepEqual([...(y!.data as BigInt64Array)], [BigInt(5 * rows * columns)]);
    }
    await session.release();
  });
});

describe("Graph", () => {
  it("writes the bytes that protobuf prescribes", () => {
    // ModelProto { ir_version: 9, producer_name: "bge-reranker", graph: { name: "g", node: { input: "x", output: "y",
    // name: "y", op_type: "Abs" } }, opset_import: 20, com.microsoft 1 }, encoded by hand
    const graph = new Graph();
    graph.node("Abs", ["x"], {}, "y");
    const producer = hex(Buffer.from("bge-reranker"));
    const node = `0a0e0a0178120179${"1a0179"}${`2203${hex(Buffer.from("Abs"))}`}`;
    const domain = hex(Buffer.from("com.microsoft"));
    assert.equal(
      hex(graph.finish("g")),
      `0809120c${producer}3a13${node}120167${"42040a001014"}${`42110a0d${domain}1001`}`,
    );
  });

  it("stores equal constants once and gives every value a name of its own", () => {
    const graph = new Graph();
    assert.equal(graph.constant("int64", [1, 2]), graph.constant("int64", [1, 2]));
    const names = [
      graph.constant("int64", [1, 2]),
      graph.constant("int64", [1, 2], [2, 1]),
      graph.constant("float", [1, 2]),
      graph.constant("int64", [1]),
      graph.node("Abs", ["x"]),
      graph.node("Abs", ["x"]),
      graph.node("com.microsoft:Gelu", ["x"]),
    ];
    assert.equal(new Set(names).size, names.length);
  });
});
