import type { ScoreResult as ScorePart } from "../engine/engine.js";
import type { LoadSpec } from "../engine/loaded-model.js";
import { disposedError, RerankError } from "../errors.js";
import type { ScoreRequest, ScoreResult } from "../request.js";
import { disableTelemetry } from "../runtime/telemetry.js";
import type { Overflow } from "../types.js";
import { emitWarning } from "../warn.js";
import { type EngineFacts, type FromEngine, fromPlain, type Port } from "./engine-messages.js";
import { startThreads } from "./engine-threads.js";

export interface JobOptions {
  /** Whose job it is, see `endJobs`. */
  owner: object;
  maxLength: number;
  overflow: Overflow;
  signal: AbortSignal | undefined;
  onProgress: ((done: number, total: number) => void) | undefined;
}

interface Pending {
  owner: object;
  scores: Float64Array;
  spans: [number, number][] | undefined;
  done: number;
  progress: JobOptions["onProgress"];
  resolve: (result: ScoreResult) => void;
  reject: (error: unknown) => void;
}

/** Characters of passages in one message: copying more at once would hold the caller's event loop. */
const MESSAGE_CHARACTERS = 1 << 18;

/** Passages that may wait in one engine; a caller that has more must wait for some to finish. */
const MAX_WAITING = 1_000_000;

/** The caller's side of an engine that runs in a worker thread, or inline with `worker: false`. */
export class EngineClient {
  /** What runs, once `start` has resolved. */
  facts!: EngineFacts;
  private port!: Port;
  private readonly pending = new Map<number, Pending>();
  private waiting = 0;
  private nextId = 0;
  private ended: Error | undefined;
  private settleStart!: { resolve: () => void; reject: (error: unknown) => void };
  private confirmDispose: (() => void) | undefined;

  private constructor() {}

  /** Opens the engine and loads the model. A failed load leaves nothing running. */
  static async start(spec: LoadSpec, worker: boolean): Promise<EngineClient> {
    const client = new EngineClient();
    const started = new Promise<void>((resolve, reject) => {
      client.settleStart = { resolve, reject };
    });
    const telemetry = disableTelemetry();
    client.port = worker
      ? startThreads(
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

  /** Whether the engine still takes work; false after `dispose` or when its thread has died. */
  get alive(): boolean {
    return this.ended === undefined;
  }

  run(job: ScoreRequest, { owner, maxLength, overflow, signal, onProgress }: JobOptions): Promise<ScoreResult> {
    const total = job.passages.length;
    if (this.ended) return Promise.reject(this.ended);
    if (this.waiting + total > MAX_WAITING) return Promise.reject(queueFull(this.waiting, total));
    const id = this.nextId++;
    return new Promise<ScoreResult>((resolve, reject) => {
      const abort = () => this.drop(id, signal!.reason);
      signal?.addEventListener("abort", abort, { once: true });
      const unlisten = () => signal?.removeEventListener("abort", abort);
      this.pending.set(id, {
        owner,
        scores: new Float64Array(total),
        spans: undefined,
        done: 0,
        progress: onProgress,
        resolve: (result) => {
          unlisten();
          resolve(result);
        },
        reject: (error) => {
          unlisten();
          reject(error);
        },
      });
      this.waiting += total;
      this.port.hold(true);
      const { queries, queryOf } = job;
      this.port.send({ type: "begin", request: { id, queries, queryOf, maxLength, overflow } });
      void this.sendPassages(id, job.passages);
    });
  }

  /** Rejects an owner's jobs with `error` and takes what is left of them out of the queue. */
  endJobs(owner: object, error: Error): void {
    for (const [id, job] of this.pending) if (job.owner === owner) this.drop(id, error);
  }

  /** Lets the batch that is running finish, rejects the rest with `DISPOSED` and frees what the engine holds. */
  async dispose(): Promise<void> {
    if (this.ended) return;
    const disposed = new Promise<void>((resolve) => {
      this.confirmDispose = resolve;
    });
    this.port.send({ type: "dispose" });
    this.end(disposedError());
    // Ending the last call has let go of the process; it stays for the answer.
    this.port.hold(true);
    await disposed;
    await this.port.close();
  }

  private async sendPassages(id: number, passages: readonly string[]): Promise<void> {
    for (let next = 0; next < passages.length && this.pending.has(id); ) {
      const start = next;
      for (let size = 0; next < passages.length && size < MESSAGE_CHARACTERS; next++)
        size += passages[next]!.length + 1;
      this.port.send({ type: "passages", id, passages: passages.slice(start, next) });
      if (next < passages.length) await new Promise((resume) => setImmediate(resume));
    }
    if (this.pending.has(id)) this.port.send({ type: "end", id });
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
      case "result":
        return this.take(message.result);
      case "failure":
        return this.settle(message.id)?.reject(fromPlain(message.error));
      case "warning":
        return emitWarning(message.message);
      case "disposed":
        return this.confirmDispose?.();
    }
  }

  private take({ id, indices, logits, spans, stats }: ScorePart): void {
    const job = this.pending.get(id);
    if (!job) return;
    if (spans) job.spans ??= [];
    indices.forEach((index, i) => {
      job.scores[index] = logits[i]!;
      if (spans) job.spans![index] = spans[i]!;
    });
    job.done += indices.length;
    const total = job.scores.length;
    try {
      job.progress?.(job.done, total);
    } catch (error) {
      return this.drop(id, error);
    }
    const { scores, spans: windows } = job;
    if (stats) this.settle(id)?.resolve({ scores, kind: "logit", spans: windows, stats });
  }

  private drop(id: number, error: unknown): void {
    this.port.send({ type: "abort", id });
    this.settle(id)?.reject(error);
  }

  /** Takes a job off the books; its caller is answered by whoever asked. */
  private settle(id: number): Pending | undefined {
    const job = this.pending.get(id);
    if (!job) return undefined;
    this.pending.delete(id);
    this.waiting -= job.scores.length;
    if (this.pending.size === 0) this.port.hold(false);
    return job;
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
    for (const id of [...this.pending.keys()]) this.settle(id)?.reject(error);
  }
}

function queueFull(waiting: number, more: number): RerankError {
  return new RerankError(
    "OVERLOADED",
    `The queue is full: ${waiting} passages are waiting and ${more} more would exceed ${MAX_WAITING}. Wait for earlier calls to finish, or send fewer passages.`,
  );
}
