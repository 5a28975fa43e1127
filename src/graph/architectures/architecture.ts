import { RerankError, show } from "../../errors.js";
import type { Config } from "../../model/model-files.js";
import type { ExpectedTensors } from "../../model/weights.js";
import type { Graph } from "../onnx.js";

/** A kind of cross-encoder. All that is known of it stands in one file; `list.ts` names that file, nothing else does. */
export interface Architecture {
  /** Its `model_type` in config.json, and its name in `info`. */
  readonly name: string;
  /**
   * Reads config.json.
   * @throws {RerankError} `MODEL_UNSUPPORTED` for a variant whose arithmetic is another, `MODEL_INVALID` for nonsense
   */
  read(config: Config): Network;
  /** Longest pair in tokens that the position table allows. */
  maxLength(config: Config): number;
}

/** One model of an architecture. */
export interface Network extends ExpectedTensors {
  /** The architecture's name. */
  readonly architecture: string;
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  /** Token ids that it knows, from 0 on. */
  readonly vocab: number;
  /** See {@link Architecture.maxLength}. */
  readonly maxLength: number;
  /** Dense layers that may run in int8, in the order of the graph. */
  readonly quantizable: readonly QuantizableLayer[];
  /**
   * Adds the first part of the graph: tables that are looked up, and need not be in memory as a whole. Its inputs are
   * `input_ids` int32 [batch, sequence] and, where the model reads them, `token_type_ids` of the same form.
   * @returns the embeddings, float [batch, sequence, hidden]
   */
  embed(graph: Graph, options: GraphOptions): string;
  /**
   * Adds the rest: matrices, which ONNX Runtime packs for the CPU that it runs on. With `padded` there is one more input,
   * `attention_bias` float [batch, 1, 1, sequence]: 0, or a large negative number for padding.
   * @returns one logit for each pair, float [batch, 1]
   */
  score(graph: Graph, embeddings: string, options: GraphOptions): string;
}

export interface QuantizableLayer {
  /** Name of the dense layer in the checkpoint. */
  readonly name: string;
  /** The first layer that reads the same input: its own name, or that of one before it. */
  readonly sharesInputOf: string;
}

/** Adds a dense layer: `name` as in the checkpoint, `rows` [rows, input]; returns [rows, output]. */
export type Dense = (graph: Graph, name: string, rows: string) => string;

/** Adds a tensor to the graph, once, and returns its value name. */
export type UseTensor = (name: string) => string;

export interface GraphOptions {
  use: UseTensor;
  /** How dense layers are computed. */
  dense: Dense;
  /** Whether a batch may hold pairs of different lengths, at the price of one addition for each attention score. */
  padded: boolean;
  /** Tensors are float16: dense layers and attention products run in it, sums, norms and softmax in float32. */
  half: boolean;
}

/** @throws {RerankError} `MODEL_UNSUPPORTED` unless config.json speaks of a sequence classifier with one label */
export function checkCrossEncoder(config: Config): void {
  const kinds = config.architectures;
  if (Array.isArray(kinds) && kinds.length > 0 && !kinds.some((kind) => /ForSequenceClassification$/.test(kind))) {
    throw unsupported(`the architecture ${show(kinds.join(", "))}`, "cross-encoders (…ForSequenceClassification)");
  }
  const labels = config.id2label;
  const count = typeof labels === "object" && labels !== null ? Object.keys(labels).length : config.num_labels;
  if (count !== undefined && count !== 1) throw unsupported(`${show(count)} labels`, "a cross-encoder with one label");
}

/** What changes the arithmetic must be refused, not ignored. @param wanted the one value that is computed here */
export function expectSetting(config: Config, key: string, wanted: unknown): void {
  const value = config[key] ?? wanted;
  if (value !== wanted) throw unsupported(`${key} ${show(value)}`, show(wanted));
}

/** A size or a number of things. @param fallback where the configuration does not say */
export function readCount(config: Config, key: string, fallback?: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = config[key] ?? fallback;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  const limit = most < Number.MAX_SAFE_INTEGER ? ` of at most ${most}` : "";
  throw invalidConfig(`${key} is ${show(value)}; a positive integer${limit} is needed`);
}

export function unsupported(given: string, expected: string): RerankError {
  return new RerankError("MODEL_UNSUPPORTED", `This model has ${given}; bge-reranker runs ${expected}.`);
}

export function invalidConfig(what: string): RerankError {
  return new RerankError("MODEL_INVALID", `config.json: ${what}.`);
}
