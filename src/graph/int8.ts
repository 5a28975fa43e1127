import type { Producer } from "../cache/derived.js";
import { RerankError } from "../errors.js";
import type { TensorRef } from "../model/safetensors.js";
import { readFloats } from "../model/weights.js";
import type { Network } from "./architectures/architecture.js";

/** Where the parts of one int8 layer lie in the derived file; the names are those of the graph's initializers. */
export interface Int8Layer {
  /** int8 [input, output] */
  values: string;
  /** float [output]: one step of an output's weights */
  scales: string;
  /** float [input]: what the input is multiplied by; all ones unless `smoothed` */
  factors: string;
  smoothed: boolean;
  tensors: Map<string, Int8Tensor>;
}

export interface Int8Tensor {
  type: "int8" | "float";
  shape: number[];
  /** bytes from the start of the derived file */
  offset: number;
  length: number;
}

/** Largest magnitude of every input channel, by dense layer, as seen on sample texts. */
export type Activations = Map<string, ArrayLike<number>>;

/** Bumped when the same model would give other bytes. */
export const INT8_FORMAT = 2;

const ALIGNMENT = 64;

/** The derived file's content: the matrices of the layers that may run in int8, one after the other. */
export function int8Layout({ quantizable, tensors: shapes }: Network): {
  layers: Map<string, Int8Layer>;
  size: number;
} {
  const layers = new Map<string, Int8Layer>();
  let size = 0;
  for (const { name, sharesInputOf } of quantizable) {
    const [outputs, inputs] = shapes.get(`${name}.weight`)! as [number, number];
    const tensors = new Map<string, Int8Tensor>();
    const place = (part: string, type: Int8Tensor["type"], shape: number[]) => {
      const length = shape.reduce((product, n) => product * n, type === "int8" ? 1 : 4);
      tensors.set(part, { type, shape, offset: size, length });
      size += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
      return part;
    };
    layers.set(name, {
      values: place(`${name}.int8`, "int8", [inputs, outputs]),
      scales: place(`${name}.scales`, "float", [outputs]),
      factors: sharesInputOf === name ? place(`${name}.factors`, "float", [inputs]) : `${sharesInputOf}.factors`,
      smoothed: false,
      tensors,
    });
  }
  return { layers, size };
}

/** Writes the file that {@link int8Layout} describes. */
export function writeInt8(network: Network, weights: Map<string, TensorRef>, activations: Activations): Producer {
  return (write) => {
    const padded = (bytes: Uint8Array) => {
      write(bytes);
      const rest = (ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT;
      if (rest > 0) write(new Uint8Array(rest));
    };
    const { layers } = int8Layout(network);
    const smoothing = new Map<string, Float32Array>();
    const floats = (name: string) => readFloats(weights.get(`${name}.weight`)!);
    for (const [name, { factors, tensors }] of layers) {
      if (tensors.has(factors)) {
        const seen = activations.get(name)!;
        const sharers = [...layers].filter(([, layer]) => layer.factors === factors).map(([sharer]) => sharer);
        smoothing.set(factors, smoothingFactors(seen, largestColumns(sharers.map(floats), seen.length)));
      }
      const { values, scales } = quantize(
        floats(name),
        weights.get(`${name}.weight`)!.shape[0]!,
        smoothing.get(factors)!,
      );
      padded(bytesOf(values));
      padded(bytesOf(scales));
      if (tensors.has(factors)) padded(bytesOf(smoothing.get(factors)!));
    }
  };
}

function bytesOf(array: Int8Array | Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A channel this many times larger than the median one takes the 8 bits away from all others. */
const OUTLIER = 4;

/**
 * Factors that the input channels are multiplied by before they are rounded, and that the weights' columns are divided
 * by, so that the product stays the same: an outlier channel's excess is shared between both as in SmoothQuant
 * (https://arxiv.org/abs/2211.10438, alpha 0.5), more of it going to a column whose weights are small. Other channels
 * keep 1, and none is made smaller than the median one.
 * @param largest largest magnitude of every input channel
 * @param columns largest magnitude of every channel's weights
 */
export function smoothingFactors(largest: ArrayLike<number>, columns: ArrayLike<number>): Float32Array {
  const usual = median(largest);
  const usualColumn = median(columns);
  return Float32Array.from(largest, (value, channel) => {
    if (!(usual > 0 && usualColumn > 0 && value > OUTLIER * usual)) return 1;
    const excess = value / usual;
    return Math.min(1, Math.max(1 / excess, Math.sqrt(columns[channel]! / usualColumn / excess)));
  });
}

function median(values: ArrayLike<number>): number {
  return Float32Array.from(values).sort()[values.length >> 1]!;
}

/** Largest magnitude in every column of matrices that share their input. */
function largestColumns(matrices: Float32Array[], inputs: number): Float32Array {
  const largest = new Float32Array(inputs);
  for (const matrix of matrices) {
    for (let i = 0, column = 0; i < matrix.length; i++) {
      largest[column] = Math.max(largest[column]!, Math.abs(matrix[i]!));
      if (++column === inputs) column = 0;
    }
  }
  return largest;
}

/**
 * Rounds a weight, [output, input], to signed 8-bit steps with one scale for each output, and transposes it to the
 * [input, output] that MatMul wants.
 */
export function quantize(weight: Float32Array, outputs: number, factors: Float32Array) {
  const inputs = weight.length / outputs;
  for (let out = 0, i = 0; out < outputs; out++) {
    for (let input = 0; input < inputs; input++, i++) weight[i] = weight[i]! / factors[input]!;
  }
  const scales = new Float32Array(outputs);
  for (let out = 0; out < outputs; out++) scales[out] = step(weight, out * inputs, (out + 1) * inputs);
  const values = new Int8Array(weight.length);
  // Sixteen outputs at a time: the transposed bytes of one input then lie side by side in one cache line.
  for (let from = 0; from < outputs; from += 16) {
    const to = Math.min(from + 16, outputs);
    for (let input = 0; input < inputs; input++) {
      for (let out = from; out < to; out++) {
        values[input * outputs + out] = nearest(weight[out * inputs + input]! / scales[out]!);
      }
    }
  }
  return { values, scales };
}

function step(weight: Float32Array, from: number, to: number): number {
  let largest = 0;
  for (let i = from; i < to; i++) {
    const magnitude = Math.abs(weight[i]!);
    if (!(magnitude <= largest)) largest = magnitude;
  }
  if (!Number.isFinite(largest)) {
    throw new RerankError("MODEL_INVALID", "A weight matrix holds NaN or infinite values and cannot be quantized.");
  }
  return Math.fround(largest / 127) || 1;
}

/** Adding and taking away 1.5 * 2^52 leaves the nearest integer, much faster than Math.round. */
function nearest(value: number): number {
  return value + 6755399441055744 - 6755399441055744;
}

/** Marks the layers whose stored factors are not all ones, so that the graph multiplies only there. */
export function markSmoothed(layers: Map<string, Int8Layer>, read: (tensor: Int8Tensor) => Float32Array): void {
  const smoothed = new Map<string, boolean>();
  for (const layer of layers.values()) {
    const own = layer.tensors.get(layer.factors);
    const factors = own && read(own);
    if (factors)
      smoothed.set(
        layer.factors,
        factors.some((factor) => factor !== 1),
      );
    layer.smoothed = smoothed.get(layer.factors) ?? false;
  }
}
