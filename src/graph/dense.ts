import type { Dense, UseTensor } from "./architectures/architecture.js";
import type { Int8Layer } from "./int8.js";

/** The weight as PyTorch stores it, [output, input], so that no byte of the checkpoint is copied. */
export function gemm(use: UseTensor): Dense {
  return (graph, name, rows) => graph.node("Gemm", [rows, use(`${name}.weight`), use(`${name}.bias`)], { transB: 1 });
}

/**
 * The same with the weight as the left factor, which ONNX Runtime never packs: a little slower, but the sums are the same
 * to the last bit whether a session packs weights or not.
 */
export function gemmUnpacked(use: UseTensor): Dense {
  return (graph, name, rows) => {
    const columns = graph.node("Gemm", [use(`${name}.weight`), rows], { transB: 1 });
    return graph.node("Add", [graph.node("Transpose", [columns], { perm: [1, 0] }), use(`${name}.bias`)]);
  };
}

/** Suffix of the outputs that {@link withCalibration} adds. */
export const CALIBRATION_OUTPUT = ".largest";

/** The same layers, and for each an output `${name}.largest`, [input]: the largest magnitude of every input channel. */
export function withCalibration(dense: Dense): Dense {
  return (graph, name, rows) => {
    const magnitude = graph.node("Abs", [rows]);
    const axes = graph.constant("int64", [0]);
    graph.node("ReduceMax", [magnitude, axes], { keepdims: 0 }, name + CALIBRATION_OUTPUT);
    graph.output(name + CALIBRATION_OUTPUT, "float", ["channels"]);
    return dense(graph, name, rows);
  };
}

/**
 * Layers found in `layers` run on int8 weights; the rest on `fallback`. ONNX Runtime rounds the activations to 8 bits
 * with one scale for the whole run, so a run must hold one pair only, or scores would depend on batch mates.
 */
export function int8(layers: Map<string, Int8Layer>, use: UseTensor, fallback: Dense): Dense {
  const smoothed = new Map<string, string>();
  return (graph, name, rows) => {
    const layer = layers.get(name);
    if (!layer) return fallback(graph, name, rows);
    let input = rows;
    if (layer.smoothed) {
      // Query, key and value share their input and its factors.
      const key = `${rows}:${layer.factors}`;
      input = smoothed.get(key) ?? graph.node("Mul", [rows, use(layer.factors)]);
      smoothed.set(key, input);
    }
    const inputs = [input, use(layer.values), use(layer.scales), "", use(`${name}.bias`)];
    return graph.node("com.microsoft:DynamicQuantizeMatMul", inputs);
  };
}
