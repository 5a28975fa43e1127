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
 * weight is the tensor as PyTorch stores it (see dense.ts). The head reads only the first token, so the last layer
 * computes only that row.
 */
export function buildEncoder(graph: Graph, arch: Architecture, options: EncoderOptions): void {
  new Encoder(graph, arch, options).layers(embed(graph, arch, options));
}

/** What passes from {@link buildEmbeddings} to {@link buildLayers}: float [batch, sequence, hidden]. */
const STATE = "embeddings";

/** The first part of {@link buildEncoder} alone: tables that are looked up, and need not be in memory as a whole. */
export function buildEmbeddings(graph: Graph, arch: Architecture, options: EncoderOptions): void {
  graph.node("Identity", [embed(graph, arch, options)], {}, STATE);
  graph.output(STATE, "float", ["batch", "sequence", arch.hidden]);
}

/** The rest of it: matrices, which ONNX Runtime packs for the CPU that it runs on. */
export function buildLayers(graph: Graph, arch: Architecture, options: EncoderOptions): void {
  new Encoder(graph, arch, options).layers(graph.input(STATE, "float", ["batch", "sequence", arch.hidden]));
}

/** Sum of word, position and type embeddings, normalized: [batch, sequence, hidden] */
function embed(graph: Graph, arch: Architecture, options: EncoderOptions): string {
  const net = new Operators(graph, arch, options);
  const tokens = graph.input("input_ids", "int32", ["batch", "sequence"]);
  const base = `${prefix(arch)}.embeddings`;
  const table = (kind: string) => options.use(`${base}.${kind}_embeddings.weight`);
  const rows = (kind: string, ids: string) => net.wide(graph.node("Gather", [table(kind), ids], { axis: 0 }));
  const typeIds = () => graph.input("token_type_ids", "int32", ["batch", "sequence"]);
  const types = arch.types > 1 ? rows("token_type", typeIds()) : net.wide(table("token_type"));
  const first = graph.constant("int64", [arch.firstPosition]);
  const end = net.add(graph.node("Shape", [tokens], { start: 1 }), first);
  const positions = net.wide(graph.node("Slice", [table("position"), first, end, graph.constant("int64", [0])]));
  return net.norm(`${base}.LayerNorm`, net.add(net.add(rows("word", tokens), types), positions));
}

/** Operators that mind the number format. */
class Operators {
  constructor(
    protected readonly graph: Graph,
    protected readonly arch: Architecture,
    protected readonly options: EncoderOptions,
  ) {}

  dense(name: string, rows: string): string {
    return this.wide(this.options.dense(this.graph, name, this.narrow(rows)));
  }

  norm(name: string, rows: string): string {
    const parameter = (part: string) => this.wide(this.options.use(`${name}.${part}`));
    const inputs = [rows, parameter("weight"), parameter("bias")];
    return this.graph.node("LayerNormalization", inputs, { axis: -1, epsilon: { float: this.arch.layerNormEps } });
  }

  matmul(a: string, b: string): string {
    return this.wide(this.graph.node("MatMul", [this.narrow(a), this.narrow(b)]));
  }

  add(a: string, b: string): string {
    return this.graph.node("Add", [a, b]);
  }

  /** To the weights' own number format. */
  narrow(value: string): string {
    return this.options.half ? this.graph.node("Cast", [value], { to: DataType.float16 }) : value;
  }

  /** From the weights' own number format to float32. */
  wide(value: string): string {
    return this.options.half ? this.graph.node("Cast", [value], { to: DataType.float }) : value;
  }
}

class Encoder extends Operators {
  /** [batch, sequence, hidden] */
  private shape = "";
  private bias: string | undefined;

  /** Embeddings to logits. */
  layers(embeddings: string): void {
    const { graph, arch, options } = this;
    this.shape = graph.node("Shape", [embeddings]);
    if (options.mask) this.bias = graph.input("attention_bias", "float", ["batch", 1, 1, "sequence"]);
    let state = this.flat(embeddings);
    for (let layer = 0; layer < arch.layers; layer++) state = this.layer(layer, state);
    this.head(state);
  }

  private layer(index: number, state: string): string {
    const { graph, arch } = this;
    const name = `${prefix(arch)}.encoder.layer.${index}`;
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

  private head(state: string): void {
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
