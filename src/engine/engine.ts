import { notFiniteError, RerankError } from "../errors.js";
import type { LocalRequest, ScoreResult } from "../request.js";
import { makeBatch } from "../runtime/batch.js";
import { isOutOfMemory } from "../runtime/out-of-memory.js";
import type { Session } from "../runtime/session.js";
import type { LoadedModel } from "./loaded-model.js";
import { Queue } from "./queue.js";
import type { QueueEntry } from "./queued-request.js";
import { type SessionSlot, SessionSlots } from "./session-slots.js";
import { passageTokenizer } from "./tokenize-passage.js";

export interface EngineEvents {
  /** Some passages of a request have their scores. */
  progress(id: number, scored: number): void;
  /** All of them have; the last that is heard of a request. */
  result(id: number, result: ScoreResult): void;
  /** The request has failed; the last that is heard of it. */
  failure(id: number, error: unknown): void;
  /** Nothing can be scored any more: all requests have failed, and those to come will. */
  stopped(error: unknown): void;
  /** A sentence for the user. */
  warning(message: string): void;
}

/** Takes requests, has its sessions run them batch by batch, and reports scores. */
export class Engine {
  private readonly queue: Queue;
  private readonly slots: SessionSlots;
  private readonly running = new Set<Promise<void>>();
  private budget: number;
  private stopped = false;

  constructor(
    private readonly model: LoadedModel,
    private readonly events: EngineEvents,
  ) {
    this.budget = model.batchTokens;
    this.queue = new Queue(passageTokenizer(model.tokenizer), (id, error) => events.failure(id, error));
    this.slots = new SessionSlots(
      model,
      () => this.work(),
      (message) => events.warning(message),
    );
  }

  submit(id: number, request: LocalRequest): void {
    if (this.stopped) return;
    try {
      this.model.checkFiles();
    } catch (error) {
      // The sessions map what is no longer their model: no batch may begin.
      this.stopped = true;
      return this.events.stopped(error);
    }
    this.queue.add(id, request);
    this.work();
  }

  /** Takes a request's pairs out of the queue; the batch that is running finishes. */
  abort(id: number): void {
    this.queue.remove(id);
  }

  async dispose(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.running);
    await this.slots.release();
  }

  /** Gives every session that has nothing to do a batch. */
  private work(): void {
    if (this.stopped) return;
    this.slots.improve(this.queue.queued);
    for (const slot of this.slots.all) {
      while (this.slots.mayTake(slot, this.queue.queued)) {
        const { budget } = this;
        const batch = this.queue.take({ budget, padded: this.model.padded, sessions: this.slots.all.length });
        if (batch.length === 0) return;
        const running = this.runIn(slot, batch).finally(() => this.running.delete(running));
        this.running.add(running);
      }
    }
  }

  private async runIn(slot: SessionSlot, batch: QueueEntry[]): Promise<void> {
    const meters = new Set(batch.map(({ request }) => request.meter));
    for (const meter of meters) meter.begin();
    await this.slots.occupy(slot, this.runOrSplit(slot.session, batch));
    for (const meter of meters) meter.end();
    // Lets messages in: new requests, aborts.
    await new Promise((resume) => setImmediate(resume));
    this.work();
  }

  /** A batch that fails is run again in halves, so that only the pair at fault fails, and out of memory is survived. */
  private async runOrSplit(session: Session, batch: QueueEntry[]): Promise<void> {
    const entries = batch.filter((entry) => this.queue.wants(entry));
    if (entries.length === 0) return;
    const pairs = entries.map(({ pair }) => pair);
    let logits: ArrayLike<number>;
    try {
      logits = await session.run(makeBatch(pairs, this.model.tokenizer.padId, this.model.vocab));
    } catch (error) {
      const outOfMemory = isOutOfMemory(error);
      if (outOfMemory) this.budget = Math.max(1, Math.floor(this.budget / 2));
      if (entries.length === 1) return this.fail(entries[0]!, inferenceError(error, outOfMemory));
      const middle = entries.length >> 1;
      await this.runOrSplit(session, entries.slice(0, middle));
      return this.runOrSplit(session, entries.slice(middle));
    }
    this.deliver(entries, logits);
  }

  private deliver(batch: QueueEntry[], logits: ArrayLike<number>): void {
    for (const [row, entry] of batch.entries()) {
      if (!Number.isFinite(logits[row])) this.fail(entry, notFiniteError(logits[row]!, "of a pair"));
    }
    for (const request of this.queue.score(batch, logits)) {
      if (request.remaining > 0) this.events.progress(request.id, request.scored);
      else this.events.result(request.id, request.result());
    }
  }

  private fail(entry: QueueEntry, error: unknown): void {
    if (!this.queue.wants(entry)) return;
    this.queue.remove(entry.request.id);
    this.events.failure(entry.request.id, error);
  }
}

function inferenceError(error: unknown, outOfMemory: boolean): RerankError {
  if (error instanceof RerankError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return outOfMemory
    ? new RerankError("OUT_OF_MEMORY", `One pair alone does not fit into memory: ${message}. Lower maxLength.`, {
        cause: error,
      })
    : new RerankError("DEVICE_UNAVAILABLE", `Inference failed on this device: ${message}.`, { cause: error });
}
