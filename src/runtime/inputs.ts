import type { InferenceSession, Tensor, TypedTensor } from "onnxruntime-node";
import { RerankError, show } from "../errors.js";
import type { Batch } from "./batch.js";
import type { Runtime } from "./onnxruntime.js";

/** What a graph's declared inputs are fed with, [values, shape]. */
type Feed = (batch: Batch) => [values: ArrayLike<number>, shape: number[]];

/** Large enough to silence a padded token, small enough for half precision. */
const MASKED = -30000;

const FEEDS: Record<string, Feed> = {
  input_ids: (batch) => [batch.ids, [batch.rows, batch.length]],
  attention_mask: (batch) => [
    perToken(batch, (row, position) => (position < batch.lengths[row]! ? 1 : 0)),
    [batch.rows, batch.length],
  ],
  token_type_ids: (batch) => [
    perToken(batch, (row, position) =>
      position >= batch.firstSegments[row]! && position < batch.lengths[row]! ? 1 : 0,
    ),
    [batch.rows, batch.length],
  ],
  attention_bias: (batch) => [
    perToken(batch, (row, position) => (position < batch.lengths[row]! ? 0 : MASKED)),
    [batch.rows, 1, 1, batch.length],
  ],
};

function perToken(batch: Batch, value: (row: number, position: number) => number): Float32Array {
  const out = new Float32Array(batch.rows * batch.length);
  for (let row = 0, i = 0; row < batch.rows; row++) {
    for (let position = 0; position < batch.length; position++) out[i++] = value(row, position);
  }
  return out;
}

export type BoundFeed = (ort: Runtime, batch: Batch) => Tensor;

/** @param made outputs of earlier graphs, which need no feed */
export function bindInputs(session: InferenceSession, made: ReadonlySet<string>): [string, BoundFeed][] {
  const fed = session.inputMetadata.filter(({ name }) => !made.has(name));
  return fed.map((input): [string, BoundFeed] => {
    const feed = FEEDS[input.name];
    const type = input.isTensor ? input.type : undefined;
    if (!feed || (type !== "int64" && type !== "int32" && type !== "float32")) {
      const known = Object.keys(FEEDS).join(", ");
      throw unsupportedGraph(`its input ${show(input.name)} (${type}) is none of ${known} as int64, int32 or float32`);
    }
    return [
      input.name,
      (ort, batch) => {
        const [values, shape] = feed(batch);
        return toTensor(ort, type, values, shape);
      },
    ];
  });
}

function toTensor(ort: Runtime, type: "int64" | "int32" | "float32", values: ArrayLike<number>, shape: number[]) {
  let tensor: TypedTensor<"int64" | "int32" | "float32">;
  if (type === "int64") tensor = new ort.Tensor(type, BigInt64Array.from(values as number[], BigInt), shape);
  else if (type === "int32") {
    tensor = new ort.Tensor(type, values instanceof Int32Array ? values : Int32Array.from(values), shape);
  } else tensor = new ort.Tensor(type, values instanceof Float32Array ? values : Float32Array.from(values), shape);
  return tensor;
}

export function unsupportedGraph(what: string): RerankError {
  return new RerankError("MODEL_UNSUPPORTED", `This ONNX model is no cross-encoder that can be run here: ${what}.`);
}
