import type { GraphModel } from "../graph/graph-model.js";
import type { Batch } from "../runtime/batch.js";
import type { DeviceId } from "../runtime/devices.js";
import type { SessionOptions } from "../runtime/session.js";
import type { PlainError } from "./engine-messages.js";

/** To a thread that holds one session; it answers in order. */
export type ToSession =
  | { type: "open"; model: GraphModel; device: DeviceId; options: Omit<SessionOptions, "warn"> }
  | { type: "run"; batch: Batch }
  | { type: "release" };

/** Its answers: warnings to `open`, logits to `run`, or what went wrong. */
export type FromSession =
  | { type: "opened"; warnings: string[] }
  | { type: "logits"; logits: ArrayLike<number> }
  | { type: "released" }
  | { type: "failed"; error: PlainError };
