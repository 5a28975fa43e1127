import type { MessagePort } from "node:worker_threads";
import { RerankError, type RerankErrorCode } from "../errors.js";
import type { LocalRequest, ScoreResult } from "../request.js";
import type { RerankerInfo } from "../types.js";

/** What the caller's side knows of a loaded model. */
export interface EngineFacts {
  info: RerankerInfo;
  /** shortest pair in tokens that holds something of both texts, and the longest that the model allows */
  least: number;
  limit: number;
  warnings: string[];
}

/** Caller's thread to inference thread. */
export type ToEngine =
  /** A request, or what has not been sent of it yet: queries, passages and the queries' indexes go on behind the earlier ones. */
  | { type: "request"; id: number; part: LocalRequest; last: boolean }
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
  | { type: "progress"; id: number; scored: number }
  | { type: "result"; id: number; result: ScoreResult }
  | { type: "failure"; id: number; error: PlainError }
  | { type: "stopped"; error: PlainError }
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

/** Characters in one message: copying more at once would hold the event loop of the one or the other side. */
const MESSAGE_CHARACTERS = 1 << 18;
/** What a text costs besides its characters, in characters. */
const TEXT_OVERHEAD = 16;

/** Cuts a request into parts for messages: together they are the request. A query goes with the first that needs it. */
export function* requestParts(request: LocalRequest): Generator<{ part: LocalRequest; last: boolean }> {
  const { queries, passages, queryOf } = request;
  let sent = 0;
  for (let start = 0, end = 0, size = 0; start < passages.length; start = end, size = 0) {
    const from = sent;
    for (; end < passages.length && size < MESSAGE_CHARACTERS; end++) {
      size += passages[end]!.length + TEXT_OVERHEAD;
      for (const needed = queryOf?.[end] ?? 0; sent <= needed; sent++) size += queries[sent]!.length + TEXT_OVERHEAD;
    }
    const part = {
      ...request,
      queries: queries.slice(from, sent),
      passages: passages.slice(start, end),
      queryOf: queryOf?.slice(start, end),
    };
    yield { part, last: end === passages.length };
  }
}

/** Puts a request together again. */
export function joinParts(parts: readonly LocalRequest[]): LocalRequest {
  const [first] = parts;
  if (parts.length === 1) return first!;
  return {
    ...first!,
    queries: parts.flatMap(({ queries }) => queries),
    passages: parts.flatMap(({ passages }) => passages),
    queryOf: first!.queryOf && parts.flatMap(({ queryOf }) => queryOf!),
  };
}
