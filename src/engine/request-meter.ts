import type { ScoreStats } from "../types.js";

/** Counts and times what one request takes. */
export class RequestMeter {
  tokens = 0;
  private truncated = 0;
  private readonly arrived = performance.now();
  private tokenizeMs = 0;
  /** Of the time before its first batch. */
  private tokenizedFirstMs = 0;
  private firstBatch: number | undefined;
  private batches = 0;
  private busySince = 0;
  private inferenceMs = 0;

  constructor(private readonly pairs: number) {}

  tokenized(milliseconds: number, truncated: boolean): void {
    if (truncated) this.truncated++;
    this.tokenizeMs += milliseconds;
    if (this.firstBatch === undefined) this.tokenizedFirstMs += milliseconds;
  }

  /** A batch with pairs of the request begins. Several may run at the same time. */
  begin(): void {
    const now = performance.now();
    this.firstBatch ??= now;
    if (this.batches++ === 0) this.busySince = now;
  }

  end(): void {
    if (--this.batches === 0) this.inferenceMs += performance.now() - this.busySince;
  }

  stats(): ScoreStats {
    const { pairs, tokens, truncated, tokenizeMs } = this;
    const now = performance.now();
    const inferenceMs = this.inferenceMs + (this.batches > 0 ? now - this.busySince : 0);
    const queueMs = Math.max(0, (this.firstBatch ?? now) - this.arrived - this.tokenizedFirstMs);
    return { pairs, tokens, truncated, queueMs, tokenizeMs, inferenceMs };
  }
}
