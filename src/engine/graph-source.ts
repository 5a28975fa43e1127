import { findArchitecture, readNetwork } from "../graph/architectures/list.js";
import { openCheckpoint } from "../graph/checkpoint.js";
import type { GraphModel } from "../graph/graph-model.js";
import { fp16Graph, fp32Graph } from "../graph/model.js";
import { operatorsOf } from "../graph/onnx-operators.js";
import type { ModelFiles } from "../model/model-files.js";
import { DEVICES, type RunDtype } from "../runtime/devices.js";
import { tokenizerLimit } from "../tokenizer/open.js";
import type { PairTokenizer } from "../tokenizer/tokenizer.js";
import type { DeviceName } from "../types.js";
import type { Warn } from "../warn.js";
import { DEFAULT_MAX_LENGTH } from "./loaded-model.js";
import { quantizedGraph } from "./quantize.js";

/** Where a session's graph comes from, in the number formats that it can be had in. */
export interface GraphSource {
  /** As `info` names it. */
  architecture: string;
  /** Longest pair in tokens. */
  limit: number;
  /** Formats for a device. */
  dtypes(device: DeviceName): readonly RunDtype[];
  graph(device: DeviceName, dtype: RunDtype): Promise<GraphModel> | GraphModel;
  /** See `LoadedModel`. */
  vocab?: number;
  /** The repository's own graph: what even the CPU cannot run is its fault. */
  foreign?: boolean;
}

export function graphSource(files: ModelFiles, tokenizer: PairTokenizer, warn: Warn): GraphSource {
  const { weights } = files;
  if (weights.kind === "onnx") return onnxSource(weights.graph, files);
  return checkpointSource(weights.shards, files, tokenizer, warn);
}

function checkpointSource(
  shards: readonly string[],
  { model, config }: ModelFiles,
  tokenizer: PairTokenizer,
  warn: Warn,
): GraphSource {
  const network = readNetwork(config);
  const checkpoint = openCheckpoint({ model, files: shards, network }, warn);
  return {
    architecture: network.architecture,
    vocab: network.vocab,
    limit: network.maxLength,
    dtypes: (device) => DEVICES[device].dtypes,
    graph: (device, dtype) => {
      if (dtype === "int8") return quantizedGraph(checkpoint, tokenizer, warn);
      if (dtype === "fp16") return fp16Graph(checkpoint, warn);
      return fp32Graph(checkpoint, DEVICES[device].padded);
    },
  };
}

function onnxSource(graph: string, files: ModelFiles): GraphSource {
  // Such a graph rounds activations with one scale for the whole run.
  const quantizes = [...operatorsOf(graph)].some((operator) => operator.startsWith("DynamicQuantize"));
  return {
    architecture: "onnx",
    limit: onnxLimit(files),
    dtypes: () => [quantizes ? "int8" : "fp32"],
    graph: () => ({ parts: [{ graph }], padded: true }),
    foreign: true,
  };
}

/**
 * The longest pair that a foreign graph's position table allows. Some architectures leave the first rows of theirs out:
 * one that we know says so, of another the tokenizer's own limit has to tell.
 */
function onnxLimit(files: ModelFiles): number {
  const known = findArchitecture(files.config);
  if (known) return known.maxLength(files.config);
  const { max_position_embeddings: positions } = files.config;
  const rows =
    typeof positions === "number" && Number.isSafeInteger(positions) && positions > 0 ? positions : undefined;
  return Math.min(rows ?? DEFAULT_MAX_LENGTH, tokenizerLimit(files) ?? Number.POSITIVE_INFINITY);
}
