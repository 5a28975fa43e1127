import { RerankError, type RerankErrorCode } from "../errors.js";
import type { RerankerInfo } from "../types.js";
import type { ScoreRequest, ScoreResult } from "./engine.js";

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
  | { type: "dispose" };

/** Inference thread to caller's thread. */
export type FromEngine =
  | { type: "ready"; facts: EngineFacts }
  | { type: "unloadable"; error: PlainError }
  | { type: "result"; result: ScoreResult }
  | { type: "failure"; id: number; error: PlainError }
  | { type: "disposed" };

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
