import { RerankError } from "../errors.js";
import { makeBatch } from "../runtime/batch.js";
import type { Session } from "../runtime/session.js";
import type { Overflow, ScoreStats } from "../types.js";
import type { LoadedModel } from "./loaded-model.js";
import { RequestMeter } from "./meter.js";
import { type Item, Queue, type Request } from "./queue.js";
import { type Lane, Lanes } from "./session-slots.js";
import { splitPassage } from "./sliding-windows.js";

/** What a caller wants scored, as plain data that crosses threads. */
export interface ScoreRequest {
  id: number;
  /** Distinct queries. */
  queries: readonly string[];
  passages: string[];
  /** For each passage the index of its query; `undefined` when there is one query for all. */
  queryOf: readonly number[] | undefined;
  maxLength: number;
  overflow: Overflow;
}

/** Scores of some passages of a request. */
export interface ScoreResult {
  id: number;
  indices: number[];
  logits: number[];
  /** For each index the character range of the best window, with `overflow: "max-passage"`. */
  spans: [number, number][] | undefined;
  /** With the last scores of a request. */
  stats: ScoreStats | undefined;
}

export interface EngineEvents {
  result(result: ScoreResult): void;
  failure(id: number, error: unknown): void;
  /** A sentence for the user. */
  warning(message: string): void;
}

/** Takes requests, has its sessions run them batch by batch, and reports scores as they come. */
export class Engine {
  private readonly queue = new Queue();
  private readonly lanes: Lanes;
  private readonly running = new Set<Promise<void>>();
  private budget: number;
  private disposed = false;

  constructor(
    private readonly model: LoadedModel,
    private readonly events: EngineEvents,
  ) {
    this.budget = model.batchTokens;
    this.lanes = new Lanes(
      model,
      () => this.work(),
      (message) => events.warning(message),
    );
  }

  submit(request: ScoreRequest): void {
    this.queue.add(this.prepare(request));
    this.work();
  }

  /** Takes a request's pairs out of the queue; the batch that is running finishes. */
  abort(id: number): void {
    this.queue.remove(id);
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    await Promise.all(this.running);
    await this.lanes.release();
  }

  private prepare(score: ScoreRequest): Request {
    const { id, queries, passages, queryOf, maxLength } = score;
    const queryIds = new Map<number, ArrayLike<number>>();
    let index = 0;
    const request: Request = {
      id,
      size: passages.length,
      waiting: [],
      remaining: passages.length,
      unread: passages.length,
      best: new Map(),
      meter: new RequestMeter(passages.length),
      next: () => {
        if (index >= passages.length) return undefined;
        const start = performance.now();
        try {
          const query = queryOf?.[index] ?? 0;
          if (!queryIds.has(query)) queryIds.set(query, this.model.tokenizer.encode(queries[query]!, maxLength));
          return this.items(request, index, queryIds.get(query)!, score);
        } catch (error) {
          this.fail(request, error);
          return undefined;
        } finally {
          index++;
          request.unread--;
          request.meter.tokenized(performance.now() - start);
        }
      },
    };
    return request;
  }

  /** The pair of one passage, or those of its windows. */
  private items(request: Request, index: number, query: ArrayLike<number>, score: ScoreRequest): Item[] {
    const { tokenizer } = this.model;
    const { maxLength, overflow } = score;
    const text = score.passages[index]!;
    const room = tokenizer.passageRoom(query.length, maxLength);
    if (overflow === "truncate") {
      const ids = tokenizer.encode(text, maxLength);
      if (ids.length > room) request.meter.truncated++;
      return [{ request, index, pair: tokenizer.pair(query, ids, maxLength), span: undefined }];
    }
    const ids = tokenizer.encode(text);
    const windows = splitPassage(text, ids, Math.max(1, room), (part) => tokenizer.encode(part));
    request.remaining += windows.length - 1;
    request.best.set(index, { left: windows.length, logit: Number.NEGATIVE_INFINITY, span: windows[0]!.span });
    return windows.map((window) => ({
      request,
      index,
      pair: tokenizer.pair(query, window.ids, maxLength),
      span: window.span,
    }));
  }

  /** Gives every session that has nothing to do a batch. */
  private work(): void {
    if (this.disposed) return;
    this.lanes.improve(this.queue.untaken);
    for (const lane of this.lanes.all) {
      while (this.lanes.mayTake(lane, this.queue.untaken)) {
        const batch = this.queue.take(this.budget, this.model.padded, this.lanes.all.length);
        if (batch.length === 0) return;
        const running = this.runIn(lane, batch).finally(() => this.running.delete(running));
        this.running.add(running);
      }
    }
  }

  private async runIn(lane: Lane, batch: Item[]): Promise<void> {
    await this.lanes.occupy(lane, this.runOrSplit(lane.session, batch));
    // Lets messages in: new requests, aborts.
    await new Promise((resume) => setImmediate(resume));
    this.work();
  }

  /** A batch that fails is run again in halves, so that only the pair at fault fails, and out of memory is survived. */
  private async runOrSplit(session: Session, batch: Item[]): Promise<void> {
    const items = batch.filter((item) => this.queue.has(item.request.id));
    if (items.length === 0) return;
    const pairs = items.map((item) => item.pair);
    let logits: ArrayLike<number>;
    const meters = new Set(items.map(({ request }) => request.meter));
    for (const meter of meters) meter.begin();
    try {
      logits = await session.run(makeBatch(pairs, this.model.tokenizer.padId, this.model.vocab));
      for (const meter of meters) meter.end();
    } catch (error) {
      for (const meter of meters) meter.end();
      const outOfMemory = isOutOfMemory(error);
      if (outOfMemory) this.budget = Math.max(1, Math.floor(this.budget / 2));
      if (items.length === 1) return this.fail(items[0]!.request, inferenceError(error, outOfMemory));
      const middle = items.length >> 1;
      await this.runOrSplit(session, items.slice(0, middle));
      return this.runOrSplit(session, items.slice(middle));
    }
    this.deliver(items, logits);
  }

  private deliver(items: Item[], logits: ArrayLike<number>): void {
    const results = new Map<Request, ScoreResult>();
    for (const [row, item] of items.entries()) {
      const { request } = item;
      request.remaining--;
      request.meter.tokens += item.pair.ids.length;
      const logit = logits[row]!;
      if (!Number.isFinite(logit)) this.fail(request, notFinite(logit));
      const found = this.keepBest(item, logit);
      if (!found) continue;
      const result = results.get(request) ?? {
        id: request.id,
        indices: [],
        logits: [],
        spans: item.span && [],
        stats: undefined,
      };
      result.indices.push(item.index);
      result.logits.push(found.logit);
      if (found.span) result.spans?.push(found.span);
      results.set(request, result);
    }
    for (const [request, result] of results) {
      if (!this.queue.has(request.id)) continue;
      if (request.remaining === 0) {
        this.queue.remove(request.id);
        result.stats = request.meter.stats();
      }
      this.events.result(result);
    }
  }

  /** The passage's score once its last window is in. */
  private keepBest(
    { request, index, span }: Item,
    logit: number,
  ): { logit: number; span?: [number, number] } | undefined {
    const best = span && request.best.get(index);
    if (!best) return { logit };
    if (logit > best.logit) Object.assign(best, { logit, span });
    return --best.left === 0 ? best : undefined;
  }

  private fail(request: Request, error: unknown): void {
    if (!this.queue.has(request.id)) return;
    this.queue.remove(request.id);
    this.events.failure(request.id, error);
  }
}

/** In the words of ONNX Runtime, CUDA, cuDNN, Vulkan, Direct3D, C++ and V8. */
const OUT_OF_MEMORY =
  /out[ _]?of[ _]?(?:(?:device|host)[ _])?memory|not enough memory|bad_alloc|failed to allocate|alloc(?:ation)?[ _]failed|\bOOM\b/i;

function isOutOfMemory(error: unknown): boolean {
  return OUT_OF_MEMORY.test(String(error));
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

function notFinite(logit: number): RerankError {
  return new RerankError(
    "MODEL_INVALID",
    `The model gave ${logit} as a logit; expected a finite number. Its weights are damaged or its number format overflows: check the model files or use dtype fp32.`,
  );
}
