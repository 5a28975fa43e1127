import { readFileSync } from "node:fs";
import { RerankError, show } from "../errors.js";
import { openEncoder } from "../graph/model.js";
import { parseConfig } from "../model/config.js";
import type { ModelFiles } from "../model/files.js";
import type { Device, Dtype, RerankerInfo } from "../types.js";
import { candidates, type DeviceId, deviceFailure, deviceLabel, type Machine, REMEDY, thisMachine } from "./devices.js";
import { makeBatch } from "./batch.js";
import { createSession, type GraphModel, type Session } from "./session.js";
import { PairTokenizer } from "./tokenize.js";

/** What to load, as plain data that crosses threads. */
export interface LoadSpec {
  files: ModelFiles;
  device: Device;
  dtype: Dtype;
  batchTokens: number | undefined;
}

/** A model that is ready to run. */
export interface LoadedModel {
  session: Session;
  tokenizer: PairTokenizer;
  info: RerankerInfo;
  /** longest pair that the model's position table allows */
  limit: number;
  /** tokens of one run, padding included */
  batchTokens: number;
  /** whether one run may hold pairs of different lengths */
  masked: boolean;
  /** sentences for the user: what was fallen back from, and why */
  warnings: string[];
}

/** Pairs beyond this many tokens are cut unless the caller asks for more. */
const DEFAULT_MAX_LENGTH = 512;

/** Model files to a running session: reads the configuration, tries the devices one by one, scores one pair. */
export async function loadModel(spec: LoadSpec, machine: Machine = thisMachine()): Promise<LoadedModel> {
  const { files } = spec;
  const config = readJson(files, "config.json");
  const tokenizer = PairTokenizer.create(read(files, "tokenizer.json"), optionalJson(files, "tokenizer_config.json"));
  const warnings: string[] = [];
  const onnx = files.paths["onnx/model.onnx"];
  const architecture = onnx ? undefined : parseConfig(config);
  const open = (device: DeviceId): Promise<GraphModel> | GraphModel =>
    architecture
      ? openEncoder(files, architecture, { dtype: "fp32", device: device.name }, (message) => warnings.push(message))
      : { graph: onnx!, masked: true };
  const { session, model, device } = await firstThatWorks(spec.device, machine, open, tokenizer, warnings);
  const limit = architecture?.maxLength ?? positiveInteger(config.max_position_embeddings) ?? DEFAULT_MAX_LENGTH;
  return {
    session,
    tokenizer,
    limit,
    masked: model.masked,
    batchTokens: spec.batchTokens ?? (device.name === "cpu" ? 1024 : 16384),
    warnings,
    info: {
      model: files.model,
      revision: files.revision,
      architecture: architecture?.family ?? "onnx",
      device: deviceLabel(device),
      dtype: "fp32",
      maxLength: Math.min(DEFAULT_MAX_LENGTH, limit),
    },
  };
}

interface Opened {
  session: Session;
  model: GraphModel;
  device: DeviceId;
}

async function firstThatWorks(
  wanted: Device,
  machine: Machine,
  open: (device: DeviceId) => Promise<GraphModel> | GraphModel,
  tokenizer: PairTokenizer,
  warnings: string[],
): Promise<Opened> {
  const { tries } = candidates(wanted, machine);
  const failures: string[] = [];
  for (const device of tries) {
    const model = await open(device);
    try {
      const session = await createSession(model, device);
      await session.run(makeBatch([tokenizer.pair(tokenizer.encode("a"), tokenizer.encode("b"), 16)], tokenizer.padId));
      if (failures.length > 0) {
        warnings.push(`Running on ${deviceLabel(device)}, since a better device did not work (${failures.join("; ")}).`);
      }
      return { session, model, device };
    } catch (cause) {
      if (cause instanceof RerankError) throw cause;
      failures.push(deviceFailure(device, cause));
      if (device === tries.at(-1)) throw unavailable(wanted, device, failures, cause);
    }
  }
  throw new Error("unreachable: there is always a device to try");
}

function unavailable(wanted: Device, device: DeviceId, failures: string[], cause: unknown): RerankError {
  return new RerankError(
    "DEVICE_UNAVAILABLE",
    `Device ${show(wanted)} cannot run this model (${failures.join("; ")}). ${REMEDY[device.name]}`,
    { cause },
  );
}

function read(files: ModelFiles, name: string): Uint8Array {
  const path = files.paths[name];
  if (!path) throw new RerankError("MODEL_INVALID", `Model ${show(files.model)} has no ${name}.`);
  return readFileSync(path);
}

function readJson(files: ModelFiles, name: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(read(files, name)).toString("utf8")) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof RerankError) throw cause;
    throw new RerankError("MODEL_INVALID", `${name} of model ${show(files.model)} is not JSON.`, { cause });
  }
}

function optionalJson(files: ModelFiles, name: string): Record<string, unknown> {
  return files.paths[name] ? readJson(files, name) : {};
}

function positiveInteger(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
