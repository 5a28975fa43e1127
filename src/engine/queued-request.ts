import type { LocalRequest, ScoreResult, Span } from "../request.js";
import type { EncodedPair } from "../tokenizer/tokenizer.js";
import { RequestMeter } from "./request-meter.js";

/** One pair, or one window of it, in the queue. */
export interface QueueEntry {
  readonly request: QueuedRequest;
  /** Position of the passage in its request. */
  readonly index: number;
  readonly pair: EncodedPair;
  /** What the pair holds of its passage, with `overflow: "max-passage"`. */
  readonly span: Span | undefined;
}

/** The best window of a passage so far. */
interface BestWindow {
  /** windows not yet scored */
  left: number;
  logit: number;
  span: Span;
}

/** A request on its way through the queue: how far it has come, and the scores that it has got. */
export class QueuedRequest {
  /** Passages that have not been tokenized. */
  untokenized: number;
  /** Entries that no batch has taken. */
  tokenized = 0;
  /** Entries in batches that are running. */
  running = 0;
  /** Passages that have their score. */
  scored = 0;
  readonly meter: RequestMeter;
  private readonly scores: Float64Array;
  private readonly spans: Span[] | undefined;
  private readonly windows = new Map<number, BestWindow>();

  /** @param order of arrival */
  constructor(
    readonly id: number,
    readonly order: number,
    readonly request: LocalRequest,
  ) {
    this.untokenized = this.size;
    this.meter = new RequestMeter(this.size);
    this.scores = new Float64Array(this.size);
    this.spans = request.overflow === "max-passage" ? new Array<Span>(this.size) : undefined;
  }

  /** Passages in all. */
  get size(): number {
    return this.request.passages.length;
  }

  /** Pairs that no batch has taken; an untokenized passage counts as one. */
  get queued(): number {
    return this.untokenized + this.tokenized;
  }

  /** Pairs that have no score. */
  get remaining(): number {
    return this.queued + this.running;
  }

  /** Takes the logit of an entry; a passage has its score with the last of its windows. */
  score({ index, span, pair }: QueueEntry, logit: number): void {
    this.running--;
    this.meter.tokens += pair.ids.length;
    const best = span && this.bestWindow(index, span, logit);
    if (best && --best.left > 0) return;
    this.windows.delete(index);
    this.scores[index] = best?.logit ?? logit;
    if (best) this.spans![index] = best.span;
    this.scored++;
  }

  /** Announces that a passage has several windows. */
  expectWindows(index: number, count: number): void {
    this.windows.set(index, { left: count, logit: Number.NEGATIVE_INFINITY, span: [0, 0] });
  }

  result(): ScoreResult {
    return { scores: this.scores, kind: "logit", spans: this.spans, stats: this.meter.stats() };
  }

  private bestWindow(index: number, span: Span, logit: number): BestWindow {
    const best = this.windows.get(index) ?? { left: 1, logit: Number.NEGATIVE_INFINITY, span };
    if (logit > best.logit || (logit === best.logit && span[0] < best.span[0])) Object.assign(best, { logit, span });
    return best;
  }
}

/** Whether a request has less left to do than another; at the end of a large request a small one still comes first. */
export function isSmaller(a: QueuedRequest, b: QueuedRequest): boolean {
  return (a.remaining - b.remaining || a.size - b.size || a.order - b.order) < 0;
}
