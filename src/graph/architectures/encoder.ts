import { DataType, type Graph } from "../onnx.js";
import type { GraphOptions } from "./architecture.js";
import { type BertShape, layerNames } from "./bert-shape.js";

/** Operators that mind the number format. */
class Operators {
  constructor(
    protected readonly graph: Graph,
    protected readonly shape: BertShape,
    protected readonly options: GraphOptions,
  ) {}

  dense(name: string, rows: string): string {
    return this.toFloat32(this.options.dense(this.graph, name, this.toStored(rows)));
  }

  norm(name: string, rows: string): string {
    const parameter = (part: string) => this.toFloat32(this.options.use(`${name}.${part}`));
    const inputs = [rows, parameter("weight"), parameter("bias")];
    return this.graph.node("LayerNormalization", inputs, { axis: -1, epsilon: { float: this.shape.layerNormEps } });
  }

  matmul(a: string, b: string): string {
    return this.toFloat32(this.graph.node("MatMul", [this.toStored(a), this.toStored(b)]));
  }

  add(a: string, b: string): string {
    return this.graph.node("Add", [a, b]);
  }

  /** To the number format of the weights. */
  toStored(value: string): string {
    return this.options.half ? this.graph.node("Cast", [value], { to: DataType.float16 }) : value;
  }

  /** From the number format of the weights. */
  toFloat32(value: string): string {
    return this.options.half ? this.graph.node("Cast", [value], { to: DataType.float }) : value;
  }
}

export class Embeddings extends Operators {
  /** Word, position and type embeddings, summed and normalized: [batch, sequence, hidden] */
  sum(): string {
    const { graph, options, shape } = this;
    const tokens = graph.input("input_ids", "int32", ["batch", "sequence"]);
    const base = `${shape.prefix}.embeddings`;
    const table = (kind: string) => options.use(`${base}.${kind}_embeddings.weight`);
    const rows = (kind: string, ids: string) => this.toFloat32(graph.node("Gather", [table(kind), ids], { axis: 0 }));
    const typeIds = () => graph.input("token_type_ids", "int32", ["batch", "sequence"]);
    const types = shape.types > 1 ? rows("token_type", typeIds()) : this.toFloat32(table("token_type"));
    const first = graph.constant("int64", [shape.firstPosition]);
    const end = this.add(graph.node("Shape", [tokens], { start: 1 }), first);
    const positions = graph.node("Slice", [table("position"), first, end, graph.constant("int64", [0])]);
    const sum = this.add(this.add(rows("word", tokens), types), this.toFloat32(positions));
    return this.norm(`${base}.LayerNorm`, sum);
  }
}

/**
 * Hidden states stay two-dimensional, [batch * sequence, hidden], so that every dense layer is a Gemm whose transposed
 * weight is the tensor as PyTorch stores it (see dense.ts). The head reads only the first token, so the last layer
 * computes only that row.
 */
export class Encoder extends Operators {
  /** Value name of the embeddings' shape: [batch, sequence, hidden] */
  private inputShape = "";
  private bias: string | undefined;

  /** Embeddings to logits. */
  logits(embeddings: string): string {
    const { graph, shape, options } = this;
    this.inputShape = graph.node("Shape", [embeddings]);
    if (options.padded) this.bias = graph.input("attention_bias", "float", ["batch", 1, 1, "sequence"]);
    let state = this.flat(embeddings);
    for (let layer = 0; layer < shape.layers; layer++) state = this.layer(layer, state);
    const [dense, out] = shape.head;
    return this.dense(out, graph.node("Tanh", [this.dense(dense, state)]));
  }

  private layer(index: number, state: string): string {
    const { graph, shape } = this;
    const names = layerNames(shape.prefix, index);
    const last = index === shape.layers - 1;
    const queries = last ? this.firstRows(state) : state;
    const query = this.dense(names.query, queries);
    const key = this.dense(names.key, state);
    const attended = this.dense(names.attended, this.attend(query, key, this.dense(names.value, state), last));
    const middle = this.norm(names.attentionNorm, this.add(attended, queries));
    const expanded = graph.node("Gelu", [this.dense(names.intermediate, middle)]);
    return this.norm(names.outputNorm, this.add(this.dense(names.output, expanded), middle));
  }

  /** Scaled dot-product attention over [rows, hidden]; with `onePerPair` there is one query row for each pair. */
  private attend(query: string, key: string, value: string, onePerPair: boolean): string {
    if (this.bias !== undefined) return this.flat(this.attendPadded(query, key, value, this.bias, onePerPair));
    const inputs = [this.threeD(query, onePerPair), this.threeD(key, false), this.threeD(value, false)];
    return this.flat(this.graph.node("com.microsoft:MultiHeadAttention", inputs, { num_heads: this.shape.heads }));
  }

  /**
   * Attention from plain operators. ONNX Runtime's WebGPU MultiHeadAttention ignores masks, and with an attention bias it
   * gave wrong scores from 33 tokens on.
   */
  private attendPadded(query: string, key: string, value: string, bias: string, onePerPair: boolean): string {
    const { graph, shape } = this;
    const size = shape.hidden / shape.heads;
    const heads = (rows: string, one: boolean, perm: number[]) => {
      const split = graph.constant("int64", [0, one ? 1 : -1, shape.heads, size]);
      return graph.node("Transpose", [graph.node("Reshape", [this.threeD(rows, one), split])], { perm });
    };
    const scaled = graph.node("Mul", [query, graph.constant("float", [size ** -0.5], [])]);
    const logits = this.matmul(heads(scaled, onePerPair, [0, 2, 1, 3]), heads(key, false, [0, 2, 3, 1]));
    const weights = graph.node("Softmax", [this.add(logits, bias)], { axis: -1 });
    const context = this.matmul(weights, heads(value, false, [0, 2, 1, 3]));
    return graph.node("Transpose", [context], { perm: [0, 2, 1, 3] });
  }

  /** [..., hidden] to [rows, hidden] */
  private flat(value: string): string {
    return this.graph.node("Reshape", [value, this.graph.constant("int64", [-1, this.shape.hidden])]);
  }

  /** [rows, hidden] to [batch, sequence, hidden], or [batch, 1, hidden] when there is one row for each pair */
  private threeD(rows: string, onePerPair: boolean): string {
    const shape = onePerPair ? this.graph.constant("int64", [-1, 1, this.shape.hidden]) : this.inputShape;
    return this.graph.node("Reshape", [rows, shape]);
  }

  /** The first token's row of every pair: [batch, hidden] */
  private firstRows(state: string): string {
    const zero = this.graph.constant("int64", [0], []);
    return this.graph.node("Gather", [this.threeD(state, false), zero], { axis: 1 });
  }
}
