import { RerankError, show } from "../errors.js";
import { type Checkpoint, openCheckpoint } from "../graph/checkpoint.js";
import type { GraphModel } from "../graph/graph-model.js";
import { fp16Graph, fp32Graph, int8Graph, probeGraph, smallestGraph } from "../graph/model.js";
import { parseConfig } from "../model/config.js";
import { type ModelFiles, readJson } from "../model/model-files.js";
import { makeBatch } from "../runtime/batch.js";
import { computeThreads } from "../runtime/cpu-threads.js";
import {
  candidates,
  type DeviceId,
  deviceFailure,
  deviceLabel,
  type Machine,
  REMEDY,
  thisMachine,
} from "../runtime/devices.js";
import { createSession, type OpenSession, type Session } from "../runtime/session.js";
import { openTokenizer } from "../tokenizer/open.js";
import type { PairTokenizer } from "../tokenizer/tokenizer.js";
import type { Device, DeviceName, Dtype, RerankerInfo } from "../types.js";
import type { Warn } from "../warn.js";
import { observeActivations } from "./calibration.js";

/** What to load, as plain data that crosses threads. */
export interface LoadSpec {
  files: ModelFiles;
  device: Device;
  dtype: Dtype;
  batchTokens?: number | undefined;
  workers?: number | undefined;
}

/** Where sessions run. */
export interface Sessions {
  /** Opens the first session, and each that is tried before it is found. */
  first: OpenSession;
  /** Gives a place for one more; none without threads. */
  next?: () => Promise<OpenSession>;
}

/** A model that is ready to run. */
export interface LoadedModel {
  session: Session;
  /** most sessions that may run at the same time */
  workers: number;
  /** Whether `session` computes on all cores, and others on their share of them: then it is the one for a lone batch. */
  wide: boolean;
  /** Opens one more session, where there may be more than one. */
  openAnother?: (warn: Warn) => Promise<Session>;
  /** Opens the first session anew, in its place, when it is a draft: one that was there soon and runs slower. */
  settle?: (warn: Warn) => Promise<Session>;
  tokenizer: PairTokenizer;
  info: RerankerInfo;
  /** token ids that the model knows, from 0 on, where that is known */
  vocab?: number | undefined;
  /** longest pair that the model's position table allows */
  limit: number;
  /** tokens of one run, padding included */
  batchTokens: number;
  /** whether one run may hold pairs of different lengths */
  masked: boolean;
  /** sentences for the user: what was fallen back from, and why */
  warnings: string[];
}

/** Fewer are packed in less than 20 ms, which a draft is not worth. */
const DRAFT_BYTES = 32 * 2 ** 20;

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

/** Where a session's graph comes from, in the number formats that it can be had in. */
interface GraphSource {
  /** Formats for a device, best first. */
  dtypes(device: DeviceName): RunDtype[];
  graph(device: DeviceName, dtype: RunDtype): Promise<GraphModel> | GraphModel;
  /** See `LoadedModel`. */
  vocab?: number;
  /** The repository's own graph: what even the CPU cannot run is its fault. */
  foreign?: boolean;
}

type RunDtype = Exclude<Dtype, "auto">;

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

interface Opened {
  session: Session;
  model: GraphModel;
  device: DeviceId;
  dtype: RunDtype;
  workers: number;
  draft: boolean;
}

interface Means {
  machine: Machine;
  sessions: Sessions;
  source: GraphSource;
  tokenizer: PairTokenizer;
  warn: Warn;
}

async function firstThatWorks(
  { device: wanted, dtype: wantedDtype, workers: wantedWorkers }: LoadSpec,
  { machine, sessions, source, tokenizer, warn }: Means,
): Promise<Opened> {
  const open = sessions.first;
  const failures: string[] = [];
  const devices = candidates(wanted, machine).tries;
  const tries = devices.flatMap((device) =>
    chooseDtypes(wantedDtype, source.dtypes(device.name), device.name).map((dtype) => ({ device, dtype })),
  );
  if (tries.length === 0) throw noSuchFormat(wantedDtype, devices[0]!, source);
  for (const { device, dtype } of tries) {
    try {
      // A device that is not there should cost no conversion of weights.
      if (device.name !== "cpu") await (await open(smallestGraph(), device)).release();
      const model = await source.graph(device.name, dtype);
      const workers = sessions.next ? workersFor(wantedWorkers, device, model, warn) : 1;
      // In this thread a draft could not be replaced on the side.
      const draft = sessions.next !== undefined && packedBytes(model) >= DRAFT_BYTES;
      const session = await open(model, device, { draft, warn });
      await scoreOnce(session, { tokenizer, vocab: source.vocab }, device).catch(async (error) => {
        await session.release();
        throw error;
      });
      if (failures.length > 0) {
        warn(`Running on ${deviceLabel(device)} in ${dtype}, since better did not work (${failures.join("; ")}).`);
      }
      return { session, model, device, dtype, workers, draft };
    } catch (cause) {
      const tooLarge = dtype === "fp16" && wantedDtype === "auto" && codeOf(cause) === "MODEL_UNSUPPORTED";
      if (cause instanceof RerankError && !tooLarge) throw cause;
      failures.push(`${dtype} on ${deviceFailure(device, cause)}`);
      if (tries.at(-1)?.device === device && tries.at(-1)?.dtype === dtype) {
        throw source.foreign && device.name === "cpu" && device.index === 0
          ? brokenOnnx(cause)
          : unavailable(wanted, device, failures, cause);
      }
    }
  }
  throw new Error("unreachable: there is always a device to try");
}

/** Bytes of weights that are packed into a file, which all sessions map. */
function packedBytes(model: GraphModel): number {
  return model.parts.reduce((sum, { prepacked }) => sum + (prepacked?.bytes ?? 0), 0);
}

/** Sessions on this machine's CPU. Beyond four each gets several cores, though short inputs leave some of them idle. */
export function mostWorkers(): number {
  return Math.min(4, computeThreads());
}

/** How many sessions: on the CPU as many as keep its cores busy without copies of the weights. */
function workersFor(wanted: number | undefined, device: DeviceId, model: GraphModel, warn: Warn): number {
  if (device.name === "cpu") return wanted ?? (packedBytes(model) > 0 ? mostWorkers() : 1);
  if (wanted === undefined || wanted === 1 || device.name === "cuda" || device.name === "dml") return wanted ?? 1;
  warn(`${deviceLabel(device)} takes one worker in a process, not ${wanted}.`);
  return 1;
}

/** Tokens of one run: enough to keep a device busy. More would only take more memory and hold up whoever waits. */
function tokensAtOnce(device: DeviceId, threads: number): number {
  return device.name === "cpu" ? Math.min(1024, 512 * threads) : 16384;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof RerankError ? error.code : undefined;
}

/** The formats to try on a device: the one that was asked for, or for `auto` the GPU's all and the CPU's exact one. */
function chooseDtypes(wanted: Dtype, possible: RunDtype[], device: DeviceName): RunDtype[] {
  if (wanted === "auto") return device === "cpu" ? possible.slice(0, 1) : possible;
  return possible.filter((dtype) => dtype === wanted);
}

function noSuchFormat(dtype: Dtype, device: DeviceId, source: GraphSource): RerankError {
  const possible = source.dtypes(device.name).map(show).join(" or ");
  return new RerankError(
    "OPTION_INVALID",
    `dtype ${show(dtype)} does not run on ${deviceLabel(device)} with this model; it runs ${possible}, or "auto".`,
  );
}

/** Some devices open a model and fail, or give nonsense, only when they run it; the CPU's nonsense is the model's own. */
async function scoreOnce(
  session: Session,
  { tokenizer, vocab }: Pick<LoadedModel, "tokenizer" | "vocab">,
  device: DeviceId,
): Promise<void> {
  const pair = tokenizer.pair(tokenizer.encode("a"), tokenizer.encode("b"), 16);
  const [logit] = Array.from(await session.run(makeBatch([pair], tokenizer.padId, vocab)));
  if (Number.isFinite(logit)) return;
  const what = `The model gave ${logit} as the logit of a trial pair; expected a finite number.`;
  if (device.name !== "cpu") throw new Error(what);
  throw new RerankError("MODEL_INVALID", `${what} Its weights are damaged: fetch or train the model again.`);
}

function unavailable(wanted: Device, device: DeviceId, failures: string[], cause: unknown): RerankError {
  return new RerankError(
    "DEVICE_UNAVAILABLE",
    `Device ${show(wanted)} cannot run this model (${failures.join("; ")}). ${REMEDY[device.name]}`,
    { cause },
  );
}

function brokenOnnx(cause: unknown): RerankError {
  const message = `onnx/model.onnx cannot be run: ${(cause as Error).message}. Fetch or export it again, with its external data beside it.`;
  return new RerankError("MODEL_INVALID", message, { cause });
}

/** Model types whose positions start behind the padding index. */
const OFFSET_POSITIONS = /roberta|camembert|longformer|mpnet/;

/** The longest pair that a foreign graph's position table allows, as far as config.json tells. */
function positionLimit({ model_type, max_position_embeddings: positions, pad_token_id: pad }: Record<string, unknown>) {
  if (typeof positions !== "number" || !Number.isSafeInteger(positions) || positions < 1) return DEFAULT_MAX_LENGTH;
  const taken = OFFSET_POSITIONS.test(String(model_type)) ? (typeof pad === "number" ? pad : 1) + 1 : 0;
  return positions - taken > 0 ? positions - taken : DEFAULT_MAX_LENGTH;
}
