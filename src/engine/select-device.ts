import { notFiniteError, RerankError, show } from "../errors.js";
import type { GraphModel } from "../graph/graph-model.js";
import { smallestGraph } from "../graph/model.js";
import { makeBatch } from "../runtime/batch.js";
import { computeThreads } from "../runtime/cpu-threads.js";
import {
  candidates,
  DEVICES,
  type DeviceId,
  deviceFailure,
  deviceLabel,
  type RunDtype,
  remedy,
} from "../runtime/devices.js";
import type { Machine } from "../runtime/machine.js";
import { isOutOfMemory } from "../runtime/out-of-memory.js";
import type { Session } from "../runtime/session.js";
import type { PairTokenizer } from "../tokenizer/tokenizer.js";
import type { Device, DeviceName, Dtype } from "../types.js";
import type { Warn } from "../warn.js";
import type { GraphSource } from "./graph-source.js";
import type { LoadedModel, LoadSpec, Sessions } from "./loaded-model.js";

const DRAFT_BYTES = 32 * 2 ** 20;

/** The session on the device and in the format that worked, and how it may be opened again. */
export interface Opened {
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

/** Tries devices and number formats one by one, best first; one that opens and scores a pair is taken. */
export async function firstThatWorks(
  { device: wanted, dtype: wantedDtype, workers: wantedWorkers }: LoadSpec,
  { machine, sessions, source, tokenizer, warn }: Means,
): Promise<Opened> {
  const { first: open, draftBytes = DRAFT_BYTES } = sessions;
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
      const draft = sessions.next !== undefined && packedBytes(model) >= draftBytes;
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
        if (isOutOfMemory(cause)) throw outOfMemory(failures, cause);
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
  const { sessions } = DEVICES[device.name];
  if (sessions === "cores") return wanted ?? (packedBytes(model) > 0 ? mostWorkers() : 1);
  if (wanted === undefined || wanted === 1 || sessions === "numbers") return wanted ?? 1;
  warn(`${deviceLabel(device)} takes one worker in a process, not ${wanted}.`);
  return 1;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof RerankError ? error.code : undefined;
}

/** The formats to try on a device, best first: the one that was asked for, or for `auto` what it should try there. */
function chooseDtypes(wanted: Dtype, possible: readonly RunDtype[], device: DeviceName): readonly RunDtype[] {
  if (wanted !== "auto") return possible.filter((dtype) => dtype === wanted);
  const best = DEVICES[device].autoDtypes.filter((dtype) => possible.includes(dtype));
  return best.length > 0 ? best : possible;
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
  const error = notFiniteError(logit!, "of a trial pair");
  throw device.name === "cpu" ? error : new Error(error.message);
}

function unavailable(wanted: Device, device: DeviceId, failures: string[], cause: unknown): RerankError {
  return new RerankError(
    "DEVICE_UNAVAILABLE",
    `Device ${show(wanted)} cannot run this model (${failures.join("; ")}). ${remedy(device)}`,
    { cause },
  );
}

function outOfMemory(failures: string[], cause: unknown): RerankError {
  const message = `This model does not fit into memory (${failures.join("; ")}). Use a smaller model, another device, or give the process more memory.`;
  return new RerankError("OUT_OF_MEMORY", message, { cause });
}

function brokenOnnx(cause: unknown): RerankError {
  const message = `onnx/model.onnx cannot be run: ${(cause as Error).message}. Fetch or export it again, with its external data beside it.`;
  return new RerankError("MODEL_INVALID", message, { cause });
}
