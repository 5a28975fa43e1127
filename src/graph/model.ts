import { realpathSync } from "node:fs";
import { dirname, relative, sep } from "node:path";
import type { GraphModel } from "../inference/session.js";
import type { Architecture } from "../model/config.js";
import { derive, type Derived, sourceKey } from "../model/derived.js";
import type { ModelFiles } from "../model/files.js";
import type { TensorRef } from "../model/safetensors.js";
import { checkFinite, openWeights } from "../model/weights.js";
import type { DeviceName } from "../types.js";
import { toFloat32 } from "./dtype.js";
import { buildEncoder } from "./encoder.js";
import { Graph } from "./onnx.js";

export interface EncoderChoice {
  dtype: "fp32";
  device: DeviceName;
}

/**
 * A checkpoint as a graph that ONNX Runtime can open. F32 tensors are used where they lie, in the safetensors file;
 * F16 and BF16 tensors are converted once into our cache.
 */
export function openEncoder(
  files: ModelFiles,
  arch: Architecture,
  { device }: EncoderChoice,
  warn: (message: string) => void,
): GraphModel {
  const shards = Object.keys(files.paths)
    .filter((name) => name.endsWith(".safetensors"))
    .map((name) => realpathSync(files.paths[name]!));
  const weights = openWeights(shards, arch);
  checkFinite(weights);
  const masked = device !== "cpu";
  const converted = convert(weights, shards, warn);
  const places = [...new Set([...weights.values()].map((tensor) => tensor.file))];
  const folder = commonFolder(places.filter((place) => place !== converted?.memory?.path));
  const graph = new Graph();
  const used = new Set<string>();
  const use = (name: string) => {
    if (!used.has(name)) {
      const { file, shape, offset, length } = weights.get(name)!;
      const location = file === converted?.memory?.path ? file : relative(folder, file).split(sep).join("/");
      graph.initializer(name, "float", shape, { location, offset, length });
      used.add(name);
    }
    return name;
  };
  buildEncoder(graph, arch, use, { mask: masked });
  return {
    graph: graph.finish(arch.family),
    folder,
    masked,
    ...(converted?.memory && { memory: [converted.memory] }),
  };
}

/** Moves every tensor that is not float32 into a derived file; `weights` then point there. */
function convert(weights: Map<string, TensorRef>, shards: string[], warn: (message: string) => void) {
  const narrow = [...weights].filter(([, tensor]) => tensor.dtype !== "F32");
  if (narrow.length === 0) return undefined;
  const size = narrow.reduce((sum, [, tensor]) => sum + tensor.length * 2, 0);
  const derived: Derived = derive(
    `${sourceKey(shards, "float32", 1)}.f32`,
    size,
    (write) => {
      for (const [, tensor] of narrow) toFloat32(tensor, write);
    },
    warn,
  );
  const file = "path" in derived ? derived.path : "converted-weights";
  let offset = 0;
  for (const [name, { shape, length }] of narrow) {
    weights.set(name, { file, dtype: "F32", shape, offset, length: length * 2 });
    offset += length * 2;
  }
  return { memory: "data" in derived ? { path: file, data: derived.data } : undefined };
}

/** The deepest folder that holds all files: ONNX Runtime refuses external data outside the model's own folder. */
function commonFolder(files: readonly string[]): string {
  let folder = dirname(files[0] ?? process.cwd());
  while (files.some((file) => !file.startsWith(folder.endsWith(sep) ? folder : folder + sep))) folder = dirname(folder);
  return folder;
}
