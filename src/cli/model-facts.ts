import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { parseConfig } from "../model/config.js";
import type { ModelFiles } from "../model/model-files.js";
import { openWeights } from "../model/weights.js";

/** What a model is, from its configuration and the headers of its weights. */
export interface ModelFacts {
  model: string;
  folder: string;
  revision: string | undefined;
  /** Bytes of all files that running it takes. */
  size: number;
  /** `undefined` for a repository whose own ONNX graph is run. */
  network:
    | {
        architecture: string;
        layers: number;
        hidden: number;
        heads: number;
        vocabulary: number;
        parameters: number;
        /** Number formats of the weights: `["F32"]`. */
        stored: string[];
        /** Longest pair in tokens. */
        maxLength: number;
      }
    | undefined;
}

/** @throws RerankError `MODEL_INVALID` or `MODEL_UNSUPPORTED` for what could not be run */
export function modelFacts({ model, revision, paths }: ModelFiles): ModelFacts {
  const size = Object.values(paths).reduce((sum, path) => sum + statSync(path).size, 0);
  const facts = { model, revision, folder: dirname(paths["config.json"]!), size };
  if (paths["onnx/model.onnx"]) return { ...facts, network: undefined };
  const arch = parseConfig(JSON.parse(readFileSync(paths["config.json"]!, "utf8")));
  const shards = Object.keys(paths).filter((name) => name.endsWith(".safetensors"));
  const weights = [
    ...openWeights(
      shards.map((name) => paths[name]!),
      arch,
    ).values(),
  ];
  return {
    ...facts,
    network: {
      architecture: arch.family,
      layers: arch.layers,
      hidden: arch.hidden,
      heads: arch.heads,
      vocabulary: arch.vocab,
      parameters: weights.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0),
      stored: [...new Set(weights.map(({ dtype }) => dtype))],
      maxLength: arch.maxLength,
    },
  };
}
