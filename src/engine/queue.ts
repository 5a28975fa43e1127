import type { EncodedPair } from "../tokenizer/tokenizer.js";
import type { RequestMeter } from "./meter.js";

/** One pair, or one window of it, waiting for inference. */
export interface Item {
  request: Request;
  /** Position of the passage in its request. */
  index: number;
  pair: EncodedPair;
  /** Character range of the passage that the pair holds, when it is one window of several. */
  span: [start: number, end: number] | undefined;
}

/** A caller's passages on their way through the queue. */
export interface Request {
  readonly id: number;
  /** Passages in all. */
  readonly size: number;
  /** Produces the next passage's items, or `undefined` when all are queued. */
  next(): Item[] | undefined;
  /** Passages not yet tokenized. */
  unread: number;
  /** Items tokenized and not yet taken, by ascending length once sorted. */
  waiting: Item[];
  /** Items not yet scored, waiting or in a batch; passages not yet tokenized count as one. */
  remaining: number;
  /** Passages that have several windows, by index, with the best window so far. */
  readonly best: Map<number, Best>;
  readonly meter: RequestMeter;
}

/** The best window of a passage so far. */
export interface Best {
  /** windows not yet scored */
  left: number;
  logit: number;
  span: [start: number, end: number];
}

/** How many pairs of one request, and of all, are tokenized ahead: enough to find like lengths. */
const LOOKAHEAD = 512;
const LOOKAHEAD_ALL = 2048;
/** For how long one batch may be kept waiting for that. */
const LOOKAHEAD_MS = 20;

/**
 * Requests of many callers, turned into batches of like lengths within a token budget.
 *
 * Every other batch starts from the request with the least left to do, so a small request waits two batches at most
 * however long the queue is; the batches between start from the oldest request, so a large one is never starved. An
 * arrival may put off the oldest request's turn, once: with several sessions the small one gets the first that is free.
 * Either kind is filled up with pairs of any request that fit its length.
 */
export class Queue {
  private readonly requests = new Map<number, Request>();
  private oldestIsNext = false;
  private putOff = false;

  /** Pairs that no batch has taken yet; passages not yet tokenized count as one. */
  get untaken(): number {
    let sum = 0;
    for (const request of this.requests.values()) sum += untaken(request);
    return sum;
  }

  add(request: Request): void {
    this.requests.set(request.id, request);
    if (this.oldestIsNext && !this.putOff) {
      this.oldestIsNext = false;
      this.putOff = true;
    }
  }

  /** Forgets a request and what it has waiting. */
  remove(id: number): void {
    this.requests.delete(id);
  }

  has(id: number): boolean {
    return this.requests.has(id);
  }

  /**
   * Takes the next batch; an empty one when nothing is left to take.
   * @param budget tokens, padding included; one item is always taken
   * @param mixed whether one batch may hold different lengths
   * @param sharers sessions that work on this queue: none takes more than its share
   */
  take(budget: number, mixed: boolean, sharers = 1): Item[] {
    const deadline = performance.now() + LOOKAHEAD_MS;
    for (let seed = this.pickRequest(); seed; seed = this.pickRequest()) {
      this.tokenizeAhead(seed, 1, LOOKAHEAD, deadline);
      const first = seed.waiting.pop();
      // Else it has been removed: its next passage could not be tokenized.
      if (first)
        return this.fill(first, seed, deadline, { budget, mixed, most: Math.ceil((this.untaken + 1) / sharers) });
    }
    return [];
  }

  private fill(
    first: Item,
    seed: Request,
    deadline: number,
    { budget, mixed, most }: { budget: number; mixed: boolean; most: number },
  ): Item[] {
    const length = first.pair.ids.length;
    const batch = [first];
    const room = () => batch.length < most && (batch.length + 1) * length <= budget;
    // The seed's own pairs first: they are the longest it has, so the nearest below the batch's length.
    let spare = this.spare();
    for (const request of [seed, ...this.others(seed)]) {
      if (!room()) break;
      if (request !== seed) {
        const ahead = Math.min(LOOKAHEAD, request.waiting.length + spare);
        spare -= this.tokenizeAhead(request, 0, ahead, deadline);
      }
      while (room()) {
        const item = takeUpTo(request.waiting, length, mixed);
        if (!item) break;
        batch.push(item);
      }
    }
    return batch;
  }

  private others(seed: Request): Request[] {
    return [...this.requests.values()].filter((request) => request !== seed && untaken(request) > 0);
  }

  /** How many more pairs may be tokenized ahead. */
  private spare(): number {
    let spare = LOOKAHEAD_ALL;
    for (const { waiting } of this.requests.values()) spare -= waiting.length;
    return Math.max(0, spare);
  }

  private pickRequest(): Request | undefined {
    const requests = [...this.requests.values()].filter((request) => untaken(request) > 0);
    this.oldestIsNext = !this.oldestIsNext;
    if (!this.oldestIsNext) {
      this.putOff = false;
      return requests[0];
    }
    return requests.reduce<Request | undefined>((a, b) => (a && !smaller(b, a) ? a : b), undefined);
  }

  /** Tokenizes until `least` pairs wait, and on to `most` unless the deadline passes; returns how many were added. */
  private tokenizeAhead(request: Request, least: number, most: number, deadline: number): number {
    const before = request.waiting.length;
    while (request.waiting.length < most) {
      if (request.waiting.length >= least && performance.now() > deadline) break;
      const items = request.next();
      if (!items) break;
      request.waiting.push(...items);
    }
    const added = request.waiting.length - before;
    if (added > 0) request.waiting.sort((a, b) => a.pair.ids.length - b.pair.ids.length);
    return added;
  }
}

/** Whether it has less left to do than another; at the end of a large request a small one still comes first. */
function smaller(request: Request, other: Request): boolean {
  return request.remaining < other.remaining || (request.remaining === other.remaining && request.size < other.size);
}

function untaken({ waiting, unread }: Request): number {
  return waiting.length + unread;
}

/** Takes the longest item of at most `length` tokens; of exactly `length` when lengths may not mix, else of at least half. */
function takeUpTo(waiting: Item[], length: number, mixed: boolean): Item | undefined {
  let low = 0;
  let high = waiting.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (waiting[middle]!.pair.ids.length <= length) low = middle + 1;
    else high = middle;
  }
  const found = waiting[low - 1];
  if (!found || found.pair.ids.length < (mixed ? length / 2 : length)) return undefined;
  waiting.splice(low - 1, 1);
  return found;
}
