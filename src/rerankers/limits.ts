import { abortedError, timeoutError } from "../errors.js";
import type { ScoreOptions } from "../types.js";

/**
 * Runs a call until the caller's signal fires or its time is up, and then rejects without waiting for the work.
 * @param work gets a signal that then fires, so that it stops too; the signal's reason is the error that the caller gets
 */
export async function withinLimits<T>(
  { signal, timeout }: Pick<ScoreOptions, "signal" | "timeout">,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw abortedError(signal);
  if (!signal && timeout === undefined) return work(undefined);
  const limit = new AbortController();
  const abort = () => limit.abort(abortedError(signal!));
  signal?.addEventListener("abort", abort, { once: true });
  // What keeps the process alive is the work.
  const timer = timeout && setTimeout(() => limit.abort(timeoutError(timeout)), timeout).unref();
  try {
    const over = new Promise<never>((_, reject) => {
      limit.signal.addEventListener("abort", () => reject(limit.signal.reason), { once: true });
    });
    return await Promise.race([work(limit.signal), over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
