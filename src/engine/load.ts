import { type Checkpoint, openCheckpoint } from "../graph/checkpoint.js";
import { fp16Graph, fp32Graph, int8Graph, probeGraph } from "../graph/model.js";
import { parseConfig } from "../model/config.js";
import { readJson } from "../model/model-files.js";
import { computeThreads } from "../runtime/cpu-threads.js";
import { type DeviceId, deviceLabel, type Machine, thisMachine } from "../runtime/devices.js";
import { createSession } from "../runtime/session.js";
import { openTokenizer } from "../tokenizer/open.js";
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
  const config = readJson(files, "config.json");
  const onnx = files.paths["onnx/model.onnx"];
  const architecture = onnx ? undefined : parseConfig(config);
  const limit = architecture?.maxLength ?? positionLimit(config);
  const tokenizer = openTokenizer(files, warn);
  const source: GraphSource = architecture
    ? checkpointSource(openCheckpoint(files, architecture, warn), tokenizer, limit, warn)
    : { dtypes: () => ["fp32"], graph: () => ({ parts: [{ graph: onnx! }], masked: true }), foreign: true };
  const opened = await firstThatWorks(spec, { machine, sessions, source, tokenizer, warn });
  const { session, model, device, dtype, workers, draft } = opened;
  const wide = device.name === "cpu" && workers > 1;
  const threads = Math.max(1, Math.floor(computeThreads() / workers));
  let latest = device;
  const openAnother = async (warn: Warn) => {
    const open = await sessions.next!();
    // The CPU is one device for all; GPUs are taken one after the other.
    if (device.name !== "cpu") latest = { ...latest, index: latest.index + 1 };
    return open(model, latest, { threads, warn });
  };
  return {
    session,
    workers,
    wide,
    ...(sessions.next && { openAnother }),
    ...(draft && { settle: (warn: Warn) => sessions.first(model, device, { warn }) }),
    tokenizer,
    vocab: source.vocab,
    limit,
    masked: model.masked,
    // An int8 run holds one pair: its activations share one scale.
    batchTokens: dtype === "int8" ? 1 : (spec.batchTokens ?? tokensAtOnce(device, threads)),
    warnings: [...warnings],
    info: {
      model: files.model,
      revision: files.revision,
      architecture: architecture?.family ?? "onnx",
      device: deviceLabel(device),
      dtype,
      maxLength: Math.min(DEFAULT_MAX_LENGTH, limit),
    },
  };
}

function checkpointSource(checkpoint: Checkpoint, tokenizer: PairTokenizer, limit: number, warn: Warn): GraphSource {
  const observe = async () => {
    const session = await createSession(probeGraph(checkpoint), { name: "cpu", index: 0 }, { warn });
    try {
      return await observeActivations(session, tokenizer, Math.min(limit, DEFAULT_MAX_LENGTH));
    } finally {
      await session.release();
    }
  };
  return {
    vocab: checkpoint.arch.vocab,
    dtypes: (device) => (device === "cpu" ? ["fp32", "int8"] : ["fp16", "fp32"]),
    graph: (device, dtype) => {
      if (dtype === "int8") return int8Graph(checkpoint, observe, warn);
      if (dtype === "fp16") return fp16Graph(checkpoint, warn);
      return fp32Graph(checkpoint, device !== "cpu");
    },
  };
}

/** Model types whose positions start behind the padding index. */
const OFFSET_POSITIONS = /roberta|camembert|longformer|mpnet/;

/** The longest pair that a foreign graph's position table allows, as far as config.json tells. */
function positionLimit({ model_type, max_position_embeddings: positions, pad_token_id: pad }: Record<string, unknown>) {
  if (typeof positions !== "number" || !Number.isSafeInteger(positions) || positions < 1) return DEFAULT_MAX_LENGTH;
  const taken = OFFSET_POSITIONS.test(String(model_type)) ? (typeof pad === "number" ? pad : 1) + 1 : 0;
  return positions - taken > 0 ? positions - taken : DEFAULT_MAX_LENGTH;
}

/** Tokens of one run: enough to keep a device busy. More would only take more memory and hold up whoever waits. */
function tokensAtOnce(device: DeviceId, threads: number): number {
  return device.name === "cpu" ? Math.min(1024, 512 * threads) : 16384;
}
