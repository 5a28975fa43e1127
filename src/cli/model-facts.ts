import { statSync } from "node:fs";
import { dirname } from "node:path";
import { readNetwork } from "../graph/architectures/list.js";
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
export function modelFacts({ model, revision, paths, config, weights }: ModelFiles): ModelFacts {
  const size = Object.values(paths).reduce((sum, path) => sum + statSync(path).size, 0);
  const facts = { model, revision, folder: dirname(paths["config.json"]!), size };
  if (weights.kind === "onnx") return { ...facts, network: undefined };
  const network = readNetwork(config);
  const tensors = [...openWeights(weights.shards, network).values()];
  const { architecture, layers, hidden, heads, vocab, maxLength } = network;
  return {
    ...facts,
    network: {
      architecture,
      layers,
      hidden,
      heads,
      vocabulary: vocab,
      parameters: tensors.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0),
      stored: [...new Set(tensors.map(({ dtype }) => dtype))],
      maxLength,
    },
  };
}
