import { findArchitecture, readNetwork } from "../graph/architectures/list.js";
import { openCheckpoint } from "../graph/checkpoint.js";
import { calibrationGraph, fp16Graph, fp32Graph, int8Graph } from "../graph/model.js";
import type { ModelFiles } from "../model/model-files.js";
import { computeThreads } from "../runtime/cpu-threads.js";
import { DEVICES, deviceLabel } from "../runtime/devices.js";
import { type Machine, thisMachine } from "../runtime/machine.js";
import { createSession } from "../runtime/session.js";
import { openTokenizer, tokenizerLimit } from "../tokenizer/open.js";
import type { PairTokenizer } from "../tokenizer/tokenizer.js";
import type { Warn } from "../warn.js";
import { observeActivations } from "./calibration.js";
import type { LoadedModel, LoadSpec, Sessions } from "./loaded-model.js";
import { firstThatWorks, type GraphSource } from "./select-device.js";

/** Pairs beyond this many tokens are cut unless the caller asks for more. */
const DEFAULT_MAX_LENGTH = 512;

/** Model files to a running session: reads the configuration, tries the devices one by one, scores one pair. */
export async function loadModel(
  spec: LoadSpec,
  sessions: Sessions = { first: createSession },
  machine: Machine = thisMachine(),
): Promise<LoadedModel> {
  const { files } = spec;
  const warnings = new Set<string>();
  const warn = (message: string) => void warnings.add(message);
  const tokenizer = openTokenizer(files, warn);
  const source =
    files.weights.kind === "onnx"
      ? onnxSource(files.weights.graph, files)
      : checkpointSource(files.weights.shards, files, tokenizer, warn);
  const { limit } = source;
  const opened = await firstThatWorks(spec, { machine, sessions, source, tokenizer, warn });
  const { session, model, device, dtype, workers, draft } = opened;
  const row = DEVICES[device.name];
  const allCores = row.sessions === "cores" && workers > 1;
  const threads = Math.max(1, Math.floor(computeThreads() / workers));
  let latest = device;
  const openAnother = async (warn: Warn) => {
    const open = await sessions.next!();
    if (row.sessions === "numbers") latest = { ...latest, index: latest.index + 1 };
    return open(model, latest, { threads, warn });
  };
  return {
    session,
    workers,
    allCores,
    ...(sessions.next && { openAnother }),
    ...(draft && { upgrade: (warn: Warn) => sessions.first(model, device, { warn }) }),
    tokenizer,
    vocab: source.vocab,
    limit,
    padded: model.padded,
    // An int8 run holds one pair: its activations share one scale.
    batchTokens: dtype === "int8" ? 1 : (spec.batchTokens ?? row.batchTokens(threads)),
    warnings: [...warnings],
    info: {
      model: files.model,
      revision: files.revision,
      architecture: source.architecture,
      device: deviceLabel(device),
      dtype,
      maxLength: Math.min(DEFAULT_MAX_LENGTH, limit),
    },
  };
}

function checkpointSource(
  shards: readonly string[],
  { model, config }: ModelFiles,
  tokenizer: PairTokenizer,
  warn: Warn,
): GraphSource {
  const network = readNetwork(config);
  const checkpoint = openCheckpoint({ model, files: shards, network }, warn);
  const limit = network.maxLength;
  const observe = async () => {
    const session = await createSession(calibrationGraph(checkpoint), { name: "cpu", index: 0 }, { warn });
    try {
      return await observeActivations(session, tokenizer, Math.min(limit, DEFAULT_MAX_LENGTH));
    } finally {
      await session.release();
    }
  };
  return {
    architecture: network.architecture,
    vocab: network.vocab,
    limit,
    dtypes: (device) => DEVICES[device].dtypes,
    graph: (device, dtype) => {
      if (dtype === "int8") return int8Graph(checkpoint, observe, warn);
      if (dtype === "fp16") return fp16Graph(checkpoint, warn);
      return fp32Graph(checkpoint, DEVICES[device].padded);
    },
  };
}

function onnxSource(graph: string, files: ModelFiles): GraphSource {
  return {
    architecture: "onnx",
    limit: onnxLimit(files),
    dtypes: () => ["fp32"],
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
