import type { LocalRequest } from "../request.js";
import { Heap } from "./heap.js";
import { isSmaller, QueuedRequest, type QueueEntry } from "./queued-request.js";
import type { TokenizePassage } from "./tokenize-passage.js";

/** How many pairs of one request, and of all, are tokenized ahead: enough to find like lengths. */
const LOOKAHEAD = 512;
const LOOKAHEAD_ALL = 2048;
/** For how long one batch may be kept waiting for that. */
const LOOKAHEAD_MS = 20;

/** What a batch may hold. */
export interface BatchLimits {
  /** Tokens, padding included; one entry is always taken. */
  budget: number;
  /** Whether pairs of different lengths may go together, the shorter ones padded. */
  padded: boolean;
  /** Sessions that work on the queue: no batch takes more than a session's share. */
  sessions: number;
}

/**
 * Requests of many callers, turned into batches of like lengths within a token budget.
 *
 * Every other batch starts from the request with the least left to do, so a small request waits two batches at most
 * however long the queue is; the batches between start from the oldest request, so a large one is never starved. An
 * arrival may put off the oldest request's turn, once: with several sessions the small one gets the first that is free.
 * Either kind is filled up with pairs of any request that fit its length. What a batch costs does not grow with the
 * number of requests.
 */
export class Queue {
  private readonly requests = new Map<number, QueuedRequest>();
  /** Requests with pairs that no batch has taken: the oldest first, and the one with the least left to do first. */
  private readonly byAge = new Set<QueuedRequest>();
  private readonly bySize = new Heap<QueuedRequest>(isSmaller);
  /** Entries of all requests, by ascending length; of equal lengths those of the oldest request come last. */
  private tokenized: QueueEntry[] = [];
  private sorted = true;
  private total = 0;
  private arrivals = 0;
  private oldestIsNext = false;
  private putOff = false;

  /**
   * @param tokenize lays out one passage of a request
   * @param failed told when that has failed; the request has been removed
   */
  constructor(
    private readonly tokenize: TokenizePassage,
    private readonly failed: (id: number, error: unknown) => void,
  ) {}

  /** Pairs that no batch has taken; an untokenized passage counts as one. */
  get queued(): number {
    return this.total;
  }

  add(id: number, request: LocalRequest): void {
    const queued = new QueuedRequest(id, this.arrivals++, request);
    this.requests.set(id, queued);
    this.byAge.add(queued);
    this.bySize.add(queued);
    this.total += queued.queued;
    if (this.oldestIsNext && !this.putOff) {
      this.oldestIsNext = false;
      this.putOff = true;
    }
  }

  /** Forgets a request and what it has in the queue. */
  remove(id: number): void {
    const request = this.requests.get(id);
    if (!request) return;
    this.requests.delete(id);
    this.close(request);
    this.total -= request.queued;
    if (request.tokenized > 0) this.tokenized = this.tokenized.filter((entry) => entry.request !== request);
  }

  /** Whether somebody still waits for an entry's score. */
  wants({ request }: QueueEntry): boolean {
    return this.requests.get(request.id) === request;
  }

  /** Takes the next batch; an empty one when nothing is left to take. */
  take(limits: BatchLimits): QueueEntry[] {
    const deadline = performance.now() + LOOKAHEAD_MS;
    for (let seed = this.pick(); seed; seed = this.pick()) {
      this.tokenizeAhead(seed, deadline);
      const first = this.longestOf(seed);
      // Else it has been removed: its next passage could not be tokenized.
      if (first) return this.fill(first, limits, deadline);
    }
    return [];
  }

  /** Takes the scores of a batch. Returns the requests that have got some; those that have all are forgotten. */
  score(batch: readonly QueueEntry[], logits: ArrayLike<number>): QueuedRequest[] {
    const touched = new Set<QueuedRequest>();
    for (const [row, entry] of batch.entries()) {
      if (!this.wants(entry)) continue;
      entry.request.score(entry, logits[row]!);
      touched.add(entry.request);
    }
    for (const request of touched) {
      if (request.remaining === 0) this.requests.delete(request.id);
      else if (request.queued > 0) this.bySize.update(request);
    }
    return [...touched];
  }

  private pick(): QueuedRequest | undefined {
    this.oldestIsNext = !this.oldestIsNext;
    if (this.oldestIsNext) return this.bySize.first;
    this.putOff = false;
    const [oldest] = this.byAge;
    return oldest;
  }

  /** Tokenizes one passage at least, and more until the deadline. */
  private tokenizeAhead(request: QueuedRequest, deadline: number): void {
    while (request.untokenized > 0 && request.tokenized < LOOKAHEAD) {
      if (request.tokenized > 0 && performance.now() > deadline) return;
      if (!this.tokenizeNext(request)) return;
    }
  }

  /** The same for all requests but one: what they have may fill up its batch. */
  private tokenizeOthers(seed: QueuedRequest, deadline: number): void {
    for (const request of this.byAge) {
      while (request !== seed && request.untokenized > 0 && request.tokenized < LOOKAHEAD) {
        if (this.tokenized.length >= LOOKAHEAD_ALL || performance.now() > deadline) return;
        if (!this.tokenizeNext(request)) break;
      }
    }
  }

  /** Returns whether it has succeeded; a request that fails is removed. */
  private tokenizeNext(queued: QueuedRequest): boolean {
    const { meter, request } = queued;
    const index = queued.size - queued.untokenized;
    const start = performance.now();
    try {
      const { pairs, truncated } = this.tokenize(request, index);
      meter.tokenized(performance.now() - start, truncated);
      if (pairs.length > 1) queued.expectWindows(index, pairs.length);
      for (const { pair, span } of pairs) this.tokenized.push({ request: queued, index, pair, span });
      this.sorted = false;
      queued.untokenized--;
      queued.tokenized += pairs.length;
      this.total += pairs.length - 1;
      if (pairs.length > 1) this.bySize.update(queued);
      return true;
    } catch (error) {
      this.remove(queued.id);
      this.failed(queued.id, error);
      return false;
    }
  }

  private longestOf(request: QueuedRequest): QueueEntry | undefined {
    this.sort();
    return this.tokenized.findLast((entry) => entry.request === request);
  }

  private fill(first: QueueEntry, { budget, padded, sessions }: BatchLimits, deadline: number): QueueEntry[] {
    const seed = first.request;
    const length = first.pair.ids.length;
    const shortest = padded ? length / 2 : length;
    const most = Math.min(Math.ceil(this.total / sessions), Math.floor(budget / length));
    const batch = new Set([first]);
    const add = (fits: (entry: QueueEntry) => boolean) => {
      for (let i = this.countUpTo(length) - 1; i >= 0 && batch.size < most; i--) {
        const entry = this.tokenized[i]!;
        if (entry.pair.ids.length < shortest) break;
        if (fits(entry)) batch.add(entry);
      }
    };
    // The seed's own pairs first: they are the longest it has, so the nearest below the batch's length.
    add(({ request }) => request === seed);
    if (batch.size < most) {
      this.tokenizeOthers(seed, deadline);
      add(() => true);
    }
    this.start(batch);
    return [...batch];
  }

  private start(batch: Set<QueueEntry>): void {
    this.tokenized = this.tokenized.filter((entry) => !batch.has(entry));
    this.total -= batch.size;
    for (const { request } of batch) {
      request.tokenized--;
      request.running++;
      if (request.queued === 0) this.close(request);
    }
  }

  /** Takes a request out of the order in which batches start. */
  private close(request: QueuedRequest): void {
    this.byAge.delete(request);
    this.bySize.remove(request);
  }

  /** Entries of at most so many tokens. */
  private countUpTo(length: number): number {
    this.sort();
    let low = 0;
    let high = this.tokenized.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tokenized[middle]!.pair.ids.length <= length) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private sort(): void {
    if (this.sorted) return;
    this.tokenized.sort((a, b) => a.pair.ids.length - b.pair.ids.length || b.request.order - a.request.order);
    this.sorted = true;
  }
}
