import type { Architecture } from "../model/config.js";
import { headNames, prefix } from "../model/weights.js";
import type { Dense, UseTensor } from "./dense.js";
import { DataType, type Graph } from "./onnx.js";

export interface EncoderOptions {
  /** Adds the checkpoint's tensor of that name to the graph and returns its value name. */
  use: UseTensor;
  /** How dense layers are computed. */
  dense: Dense;
  /** With a mask the batch may hold pairs of different lengths, at the price of one addition per attention score. */
  mask: boolean;
  /** Tensors are float16: dense layers and attention products run in it, sums, norms and softmax in float32. */
  half?: boolean;
}

/**
 * The graph of a BERT-like cross-encoder.
 *
 * Inputs: `input_ids` int32 [batch, sequence]; `token_type_ids` int32 [batch, sequence] where the model has more than
 * one type; `attention_bias` float [batch, 1, 1, sequence] (0, or a large negative number for padding) with `mask`.
 * Output: `logits` float [batch, 1].
 *
 * Hidden states stay two-dimensional, [batch * sequence, hidden], so that every dense layer is a Gemm whose transposed
 * weight is the tensor as PyTorch stores it (see dense.ts). The head reads only the first token, so the last layer computes only that row.
 */
export function buildEncoder(graph: Graph, arch: Architecture, options: EncoderOptions): void {
  const net = new Encoder(graph, arch, options);
  let state = net.embed();
  for (let layer = 0; layer < arch.layers; layer++) state = net.layer(layer, state);
  net.head(state);
}

class Encoder {
  private readonly base: string;
  private readonly tokens: string;
  /** [batch, sequence, hidden], and the same with one row for each pair */
  private readonly shape: string;
  private readonly bias: string | undefined;

  constructor(
    private readonly graph: Graph,
    private readonly arch: Architecture,
    private readonly options: EncoderOptions,
  ) {
    this.base = prefix(arch);
    this.tokens = graph.input("input_ids", "int32", ["batch", "sequence"]);
    if (arch.types > 1) graph.input("token_type_ids", "int32", ["batch", "sequence"]);
    const dims = graph.node("Shape", [this.tokens]);
    this.shape = graph.node("Concat", [dims, graph.constant("int64", [arch.hidden])], { axis: 0 });
    if (options.mask) {
      this.bias = graph.input("attention_bias", "float", ["batch", 1, 1, "sequence"]);
    }
  }

  embed(): string {
    const { graph, base, arch } = this;
    const table = (kind: string) => this.options.use(`${base}.embeddings.${kind}_embeddings.weight`);
    const rows = (kind: string, ids: string) => this.wide(graph.node("Gather", [table(kind), ids], { axis: 0 }));
    const types = arch.types > 1 ? rows("token_type", "token_type_ids") : this.wide(table("token_type"));
    const words = this.add(rows("word", this.tokens), types);
    return this.norm(
      `${base}.embeddings.LayerNorm`,
      this.flat(this.add(words, this.wide(this.positions(table("position"))))),
    );
  }

  /** The position table's rows from the first position on, one for each token: [sequence, hidden] */
  private positions(table: string): string {
    const { graph, arch } = this;
    const first = graph.constant("int64", [arch.firstPosition]);
    const end = this.add(graph.node("Shape", [this.tokens], { start: 1 }), first);
    return graph.node("Slice", [table, first, end, graph.constant("int64", [0])]);
  }

  layer(index: number, state: string): string {
    const { graph, arch } = this;
    const name = `${this.base}.encoder.layer.${index}`;
    const last = index === arch.layers - 1;
    const attention = `${name}.attention.self`;
    const queries = last ? this.firstRows(state) : state;
    const part = (name: string, rows: string) => this.dense(`${attention}.${name}`, rows);
    const context = this.attend(part("query", queries), part("key", state), part("value", state), last);
    const attended = this.dense(`${name}.attention.output.dense`, context);
    const middle = this.norm(`${name}.attention.output.LayerNorm`, this.add(attended, queries));
    const wide = graph.node("Gelu", [this.dense(`${name}.intermediate.dense`, middle)]);
    return this.norm(`${name}.output.LayerNorm`, this.add(this.dense(`${name}.output.dense`, wide), middle));
  }

  head(state: string): void {
    const [dense, out] = headNames(this.arch);
    const pooled = this.graph.node("Tanh", [this.dense(dense, state)]);
    const logits = this.dense(out, pooled);
    this.graph.node("Identity", [logits], {}, "logits");
    this.graph.output("logits", "float", ["batch", 1]);
  }

  /** Scaled dot-product attention over [rows, hidden]; with `onePerPair` there is one query row for each pair. */
  private attend(query: string, key: string, value: string, onePerPair: boolean): string {
    return this.flat(
      this.bias === undefined
        ? this.graph.node(
            "com.microsoft:MultiHeadAttention",
            [this.threeD(query, onePerPair), this.threeD(key, false), this.threeD(value, false)],
            { num_heads: this.arch.heads },
          )
        : this.attendMasked(query, key, value, this.bias, onePerPair),
    );
  }

  /**
   * Attention from plain operators. ONNX Runtime's WebGPU MultiHeadAttention ignores masks, and with an attention bias it
   * gave wrong scores from 33 tokens on.
   */
  private attendMasked(query: string, key: string, value: string, bias: string, onePerPair: boolean): string {
    const { graph, arch } = this;
    const size = arch.hidden / arch.heads;
    const heads = (rows: string, one: boolean, perm: number[]) => {
      const split = graph.constant("int64", [0, one ? 1 : -1, arch.heads, size]);
      return graph.node("Transpose", [graph.node("Reshape", [this.threeD(rows, one), split])], { perm });
    };
    const scaled = graph.node("Mul", [query, graph.constant("float", [size ** -0.5], [])]);
    const logits = this.matmul(heads(scaled, onePerPair, [0, 2, 1, 3]), heads(key, false, [0, 2, 3, 1]));
    const weights = graph.node("Softmax", [this.add(logits, bias)], { axis: -1 });
    const context = this.matmul(weights, heads(value, false, [0, 2, 1, 3]));
    return graph.node("Transpose", [context], { perm: [0, 2, 1, 3] });
  }

  private dense(name: string, rows: string): string {
    return this.wide(this.options.dense(this.graph, name, this.narrow(rows)));
  }

  private norm(name: string, rows: string): string {
    const parameter = (part: string) => this.wide(this.options.use(`${name}.${part}`));
    const inputs = [rows, parameter("weight"), parameter("bias")];
    return this.graph.node("LayerNormalization", inputs, { axis: -1, epsilon: { float: this.arch.layerNormEps } });
  }

  private matmul(a: string, b: string): string {
    return this.wide(this.graph.node("MatMul", [this.narrow(a), this.narrow(b)]));
  }

  /** To the weights' own number format. */
  private narrow(value: string): string {
    return this.options.half ? this.graph.node("Cast", [value], { to: DataType.float16 }) : value;
  }

  /** From the weights' own number format to float32. */
  private wide(value: string): string {
    return this.options.half ? this.graph.node("Cast", [value], { to: DataType.float }) : value;
  }

  private add(a: string, b: string): string {
    return this.graph.node("Add", [a, b]);
  }

  /** [..., hidden] to [rows, hidden] */
  private flat(value: string): string {
    return this.graph.node("Reshape", [value, this.graph.constant("int64", [-1, this.arch.hidden])]);
  }

  /** [rows, hidden] to [batch, sequence, hidden], or [batch, 1, hidden] when there is one row for each pair */
  private threeD(rows: string, onePerPair: boolean): string {
    const shape = onePerPair ? this.graph.constant("int64", [-1, 1, this.arch.hidden]) : this.shape;
    return this.graph.node("Reshape", [rows, shape]);
  }

  /** The first token's row of every pair: [batch, hidden] */
  private firstRows(state: string): string {
    const zero = this.graph.constant("int64", [0], []);
    return this.graph.node("Gather", [this.threeD(state, false), zero], { axis: 1 });
  }
}
