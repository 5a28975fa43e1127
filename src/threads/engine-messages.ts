import type { MessagePort } from "node:worker_threads";
import type { ScoreRequest, ScoreResult } from "../engine/engine.js";
import { RerankError, type RerankErrorCode } from "../errors.js";
import type { RerankerInfo } from "../types.js";

/** What the caller's side knows of a loaded model. */
export interface EngineFacts {
  info: RerankerInfo;
  /** shortest and longest pair in tokens that the model allows */
  least: number;
  limit: number;
  warnings: string[];
}

/** Caller's thread to inference thread. A request's passages may come in several messages before `end`. */
export type ToEngine =
  | { type: "begin"; request: Omit<ScoreRequest, "passages"> }
  | { type: "passages"; id: number; passages: string[] }
  | { type: "end"; id: number }
  | { type: "abort"; id: number }
  | { type: "dispose" }
  /** The answer to `grow`: the port of a new session's thread. */
  | { type: "session"; port: MessagePort }
  /** A session's thread has ended. */
  | { type: "lost" };

/** Inference thread to caller's thread. */
export type FromEngine =
  | { type: "ready"; facts: EngineFacts }
  | { type: "unloadable"; error: PlainError }
  | { type: "result"; result: ScoreResult }
  | { type: "failure"; id: number; error: PlainError }
  | { type: "warning"; message: string }
  /** There is work for one session more. */
  | { type: "grow" }
  | { type: "disposed" };

/** The caller's end of an engine. */
export interface Port {
  send(message: ToEngine): void;
  /** Whether open work should keep the process alive. */
  hold(busy: boolean): void;
  /** Ends the threads. */
  close(): Promise<void>;
}

/** An error that crosses threads: structured clone drops `code` and the class. */
export interface PlainError {
  code: RerankErrorCode | undefined;
  message: string;
  cause: string | undefined;
}

export function plainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { code: undefined, message: String(error), cause: undefined };
  const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : undefined;
  return error instanceof RerankError
    ? { code: error.code, message: error.message, cause }
    : { code: undefined, message: error.message, cause: error.stack };
}

export function fromPlain({ code, message, cause }: PlainError): Error {
  const options = cause === undefined ? {} : { cause: new Error(cause) };
  return code === undefined ? new Error(message, options) : new RerankError(code, message, options);
}
