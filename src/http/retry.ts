import { setTimeout as sleep } from "node:timers/promises";
import { abortedError, RerankError } from "../errors.js";

/** A failure that another attempt may mend: a broken connection, an overloaded server. */
export class Retriable extends Error {
  constructor(
    message: string,
    readonly options: {
      cause?: unknown;
      /** Milliseconds that the server asks us to wait. */
      retryAfter?: number | undefined;
      /** The attempt counts as one without progress, whatever it has brought. */
      tooSlow?: boolean;
    } = {},
  ) {
    super(message, options);
  }
}

export interface RetryOptions {
  signal: AbortSignal | undefined;
  /** Attempts in a row without progress before giving up. */
  attempts: number;
  /** Milliseconds before the second attempt; doubles with each further one, and is jittered. */
  firstWait: number;
  /** Longest time in milliseconds that is waited before an attempt, whoever asks for it. */
  longestWait: number;
  /** How far all attempts together have come: growth starts the count of attempts anew. */
  progress?: () => number | Promise<number>;
}

/**
 * Runs `attempt` until it succeeds. After each `Retriable` it waits as long as the server asks, else longer from time to
 * time.
 *
 * @throws the last `Retriable` once the attempts are used up or the server asks to wait for longer than `longestWait`;
 *   any other error at once; `ABORTED` when the signal fires.
 */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, attempts, firstWait, longestWait, progress = () => 0 } = options;
  let best = await progress();
  for (let failures = 1; ; failures++) {
    checkNotAborted(signal);
    try {
      return await attempt();
    } catch (error) {
      checkNotAborted(signal);
      if (!(error instanceof Retriable)) throw error;
      const { retryAfter, tooSlow } = error.options;
      const reached = await progress();
      if (reached > best && !tooSlow) failures = 0;
      best = Math.max(best, reached);
      const backoff = Math.min(longestWait, firstWait * 2 ** Math.max(0, failures - 1)) * (0.5 + Math.random() / 2);
      const wait = retryAfter ?? backoff;
      if (failures >= attempts || wait > longestWait) throw error;
      await pause(wait, signal);
    }
  }
}

/** @throws RerankError `ABORTED` when the signal fires */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(milliseconds, undefined, signal ? { signal } : {}).catch(() => {});
  checkNotAborted(signal);
}

/** Milliseconds; the header holds seconds or a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function retryAfter(headers: Headers): number | undefined {
  const value = headers.get("retry-after")?.trim();
  if (!value) return undefined;
  const milliseconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}

/** What happened to a connection: fetch says "fetch failed" and keeps the rest in `cause`. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, message, name } = (error.cause ?? error) as NodeJS.ErrnoException;
  return message || code || name || error.message;
}

/** @throws the signal's reason where it is the error that the caller is to get, else RerankError `ABORTED` */
export function checkNotAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw signal.reason instanceof RerankError ? signal.reason : abortedError(signal);
}
