import { RerankError, show } from "../errors.js";
import { WeightFiles } from "../model/weight-files.js";
import { computeThreads } from "../runtime/cpu-threads.js";
import { DEVICES, deviceLabel } from "../runtime/devices.js";
import { type Machine, thisMachine } from "../runtime/machine.js";
import { isOutOfMemory } from "../runtime/out-of-memory.js";
import { createSession } from "../runtime/session.js";
import { openTokenizer } from "../tokenizer/open.js";
import type { Warn } from "../warn.js";
import { graphSource } from "./graph-source.js";
import { DEFAULT_MAX_LENGTH, type LoadedModel, type LoadSpec, type Sessions } from "./loaded-model.js";
import { firstThatWorks } from "./select-device.js";

/** Model files to a running session: reads the configuration, tries the devices one by one, scores one pair. */
export async function loadModel(
  spec: LoadSpec,
  sessions: Sessions = { first: createSession },
  machine: Machine = thisMachine(),
): Promise<LoadedModel> {
  try {
    return await load(spec, sessions, machine);
  } catch (cause) {
    if (cause instanceof RerankError || !isOutOfMemory(cause)) throw cause;
    const message = `Model ${show(spec.files.model)} does not fit into memory: ${(cause as Error).message}. Use a smaller model, or give the process more memory.`;
    throw new RerankError("OUT_OF_MEMORY", message, { cause });
  }
}

async function load(spec: LoadSpec, sessions: Sessions, machine: Machine): Promise<LoadedModel> {
  const { files } = spec;
  const weightFiles = new WeightFiles(files);
  const warnings = new Set<string>();
  const warn = (message: string) => void warnings.add(message);
  const tokenizer = openTokenizer(files, warn);
  const source = graphSource(files, tokenizer, warn);
  const { limit } = source;
  const opened = await firstThatWorks(spec, { machine, sessions, source, tokenizer, warn });
  const { session, model, device, dtype, workers, draft } = opened;
  try {
    weightFiles.checkSame();
  } catch (error) {
    await session.release();
    throw error;
  }
  const row = DEVICES[device.name];
  const allCores = row.sessions === "cores" && workers > 1;
  const threads = Math.max(1, Math.floor(computeThreads() / workers));
  let latest = device;
  const openAnother = async (warn: Warn) => {
    weightFiles.checkSame();
    const open = await sessions.next!();
    if (row.sessions === "numbers") latest = { ...latest, index: latest.index + 1 };
    return open(model, latest, { threads, warn });
  };
  const upgrade = async (warn: Warn) => {
    weightFiles.checkSame();
    return sessions.first(model, device, { warn });
  };
  return {
    session,
    workers,
    allCores,
    ...(sessions.next && { openAnother }),
    ...(draft && { upgrade }),
    checkFiles: () => weightFiles.checkNotOverwritten(),
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
