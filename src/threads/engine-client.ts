import { isMainThread } from "node:worker_threads";
import type { LoadSpec } from "../engine/loaded-model.js";
import { disposedError, RerankError } from "../errors.js";
import type { LocalRequest, ScoreResult } from "../request.js";
import { disableTelemetry } from "../runtime/telemetry.js";
import { emitWarning } from "../warn.js";
import { type EngineFacts, type FromEngine, fromPlain, type Port, requestParts } from "./engine-messages.js";
import { startSubprocess } from "./engine-subprocess.js";
import { startThreads } from "./engine-threads.js";

export interface CallOptions {
  /** Whose call it is, see `endCalls`. */
  owner: object;
  /** Fires with the error that the call rejects with. */
  signal: AbortSignal | undefined;
  onProgress: ((done: number, total: number) => void) | undefined;
}

interface Call {
  owner: object;
  /** Passages. */
  size: number;
  characters: number;
  onProgress: CallOptions["onProgress"];
  resolve: (result: ScoreResult) => void;
  reject: (error: unknown) => void;
}

/**
 * What may wait in one engine, passages and characters of their texts; a caller that has more must wait for some to
 * finish. In memory a character takes up to two bytes.
 */
const MOST_PASSAGES = 1_000_000;
const MOST_CHARACTERS = 2 ** 28;

/** The caller's side of an engine that runs in a worker thread, or inline with `worker: false`. */
export class EngineClient {
  /** What runs, once `start` has resolved. */
  facts!: EngineFacts;
  private port!: Port;
  /** Calls that have no answer yet, by id. */
  private readonly calls = new Map<number, Call>();
  private passages = 0;
  private characters = 0;
  private nextId = 0;
  private ended: Error | undefined;
  private settleStart!: { resolve: () => void; reject: (error: unknown) => void };
  private confirmDispose: (() => void) | undefined;
  private closing: Promise<void> | undefined;

  private constructor() {}

  /** Opens the engine and loads the model. A failed load leaves nothing running. */
  static async start(spec: LoadSpec, worker: boolean): Promise<EngineClient> {
    const client = new EngineClient();
    const started = new Promise<void>((resolve, reject) => {
      client.settleStart = { resolve, reject };
    });
    // A subprocess has its environment from this thread's, a thread's native code that of the process.
    const telemetry = disableTelemetry(process.env, isMainThread || worker);
    const start = isMainThread ? startThreads : startSubprocess;
    client.port = worker
      ? start(
          spec,
          (message) => client.receive(message),
          (cause) => client.died(cause),
        )
      : await client.openInline(spec);
    try {
      await started;
    } catch (error) {
      await client.port.close();
      throw error;
    }
    if (telemetry) client.facts.warnings.push(telemetry);
    client.port.hold(false);
    return client;
  }

  /** Whether the engine still takes work; false after `dispose`, when it has stopped or its thread has died. */
  get alive(): boolean {
    return this.ended === undefined;
  }

  run(request: LocalRequest, { owner, signal, onProgress }: CallOptions): Promise<ScoreResult> {
    const size = request.passages.length;
    if (this.ended) return Promise.reject(this.ended);
    const characters = count(request.passages) + count(request.queries);
    const full =
      overflow("passages", this.passages, size, MOST_PASSAGES) ??
      overflow("characters", this.characters, characters, MOST_CHARACTERS);
    if (full) return Promise.reject(full);
    const id = this.nextId++;
    return new Promise<ScoreResult>((resolve, reject) => {
      const abort = () => this.drop(id, signal!.reason);
      signal?.addEventListener("abort", abort, { once: true });
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener("abort", abort);
          settle(value);
        };
      if (this.calls.size === 0) this.port.hold(true);
      this.calls.set(id, { owner, size, characters, onProgress, resolve: settled(resolve), reject: settled(reject) });
      this.passages += size;
      this.characters += characters;
      void this.send(id, request);
    });
  }

  /** Rejects an owner's calls with `error` and takes what is left of them out of the queue. */
  endCalls(owner: object, error: Error): void {
    for (const [id, call] of this.calls) if (call.owner === owner) this.drop(id, error);
  }

  /** Lets the batch that is running finish, rejects the rest with `DISPOSED` and frees what the engine holds. */
  async dispose(): Promise<void> {
    if (!this.ended) this.closing = this.close(disposedError());
    await this.closing;
  }

  private async close(error: Error): Promise<void> {
    const disposed = new Promise<void>((resolve) => {
      this.confirmDispose = resolve;
    });
    this.port.send({ type: "dispose" });
    this.end(error);
    // Ending the last call has let go of the process; it stays for the answer.
    this.port.hold(true);
    await disposed;
    await this.port.close();
  }

  private async send(id: number, request: LocalRequest): Promise<void> {
    for (const { part, last } of requestParts(request)) {
      if (!this.calls.has(id)) return;
      this.port.send({ type: "request", id, part, last });
      if (!last) await new Promise((resume) => setImmediate(resume));
    }
  }

  private async openInline(spec: LoadSpec): Promise<Port> {
    const [{ serveEngine }, { createSession }] = await Promise.all([
      import("./engine-host.js"),
      import("../runtime/session.js"),
    ]);
    const send = serveEngine(spec, (message) => this.receive(message), { first: createSession });
    return { send, hold: () => {}, close: async () => {} };
  }

  private receive(message: FromEngine): void {
    switch (message.type) {
      case "ready":
        this.facts = message.facts;
        return this.settleStart.resolve();
      case "unloadable":
        return this.settleStart.reject(fromPlain(message.error));
      case "progress":
        return void this.progress(message.id, message.scored);
      case "result": {
        const { id, result } = message;
        if (this.progress(id, result.scores.length)) this.settle(id)?.resolve(result);
        return;
      }
      case "failure":
        return this.settle(message.id)?.reject(fromPlain(message.error));
      case "stopped":
        if (!this.ended) this.closing = this.close(fromPlain(message.error));
        return;
      case "warning":
        return emitWarning(message.message);
      case "disposed":
        return this.confirmDispose?.();
    }
  }

  /** Tells the caller how far its call has come; it fails with what the caller's function throws. */
  private progress(id: number, scored: number): boolean {
    const call = this.calls.get(id);
    try {
      call?.onProgress?.(scored, call.size);
      return true;
    } catch (error) {
      this.drop(id, error);
      return false;
    }
  }

  private drop(id: number, error: unknown): void {
    this.port.send({ type: "abort", id });
    this.settle(id)?.reject(error);
  }

  /** Takes a call off the books; its caller is answered by whoever asked. */
  private settle(id: number): Call | undefined {
    const call = this.calls.get(id);
    if (!call) return undefined;
    this.calls.delete(id);
    this.passages -= call.size;
    this.characters -= call.characters;
    if (this.calls.size === 0) this.port.hold(false);
    return call;
  }

  private died(cause: unknown): void {
    const detail = cause instanceof Error ? `: ${cause.message}` : "";
    const error = new RerankError("DEVICE_UNAVAILABLE", `The inference thread ended unexpectedly${detail}.`, { cause });
    this.settleStart.reject(error);
    this.end(error);
    this.confirmDispose?.();
  }

  private end(error: Error): void {
    this.ended ??= error;
    for (const id of [...this.calls.keys()]) this.settle(id)?.reject(error);
  }
}

function count(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

function overflow(what: string, waiting: number, more: number, most: number): RerankError | undefined {
  if (waiting + more <= most) return undefined;
  return new RerankError(
    "OVERLOADED",
    `The queue is full: ${waiting} ${what} are waiting and ${more} more would exceed ${most}. Wait for earlier calls to finish, or send fewer passages.`,
  );
}
