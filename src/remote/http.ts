import { RerankError } from "../errors.js";
import { address } from "../http/body.js";
import { checkNotAborted, Retriable, reason, retryAfter, withRetries } from "../http/retry.js";

/** Longest time in milliseconds that we wait before a retry, whoever asks for it. */
const LONGEST_WAIT = 60_000;
const FIRST_WAIT = 250;
const OVERLOADED = new Set([429, 502, 503, 504]);

export interface HttpOptions {
  headers: Headers;
  /** Milliseconds for one attempt, body included. */
  timeout: number;
  /** Further attempts after the first. */
  maxRetries: number;
}

export interface HttpReply {
  status: number;
  /** The parsed JSON, else the text. */
  body: unknown;
}

interface Attempt extends HttpReply {
  /** Milliseconds that the engine asked us to wait. */
  retryAfter: number | undefined;
}

/**
 * One HTTP exchange: a POST of JSON when there is a body, else a GET.
 *
 * Overload (429, 502, 503, 504) and broken connections are tried again. Everything else, and what the last attempt gave,
 * is returned.
 *
 * @throws RerankError `REMOTE_FAILED` when the connection fails, a time limit passes or the asked wait is too long;
 *   `ABORTED` when the signal fires.
 */
export async function exchange(
  url: URL,
  body: object | undefined,
  http: HttpOptions,
  signal: AbortSignal,
): Promise<HttpReply> {
  let attempts = 0;
  let overloaded: HttpReply | undefined;
  const next = async () => {
    attempts++;
    overloaded = undefined;
    const { retryAfter, ...reply } = await attempt(url, body, http, signal);
    if (!OVERLOADED.has(reply.status)) return reply;
    overloaded = reply;
    throw new Retriable(`${address(url)} answered ${reply.status}`, { retryAfter });
  };
  try {
    const policy = { signal, attempts: http.maxRetries + 1, firstWait: FIRST_WAIT, longestWait: LONGEST_WAIT };
    return await withRetries(next, policy);
  } catch (error) {
    if (!(error instanceof Retriable)) throw error;
    const { cause, retryAfter = 0 } = error.options;
    if (retryAfter > LONGEST_WAIT && attempts <= http.maxRetries) throw tooLongToWait(url, retryAfter);
    if (overloaded) return overloaded;
    throw new RerankError(
      "REMOTE_FAILED",
      `No answer from ${address(url)} in ${attempts} attempts: ${error.message}. Is the engine running there?`,
      { cause },
    );
  }
}

async function attempt(url: URL, body: object | undefined, http: HttpOptions, signal: AbortSignal): Promise<Attempt> {
  const limit = new AbortController();
  const stop = () => limit.abort(signal.reason);
  checkNotAborted(signal);
  signal.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(() => limit.abort(timedOut(url, http.timeout)), http.timeout);
  try {
    // Redirects are not followed: they could carry documents and keys to another host.
    const init: RequestInit = { headers: http.headers, redirect: "manual", signal: limit.signal };
    const response = await fetch(url, body ? { ...init, method: "POST", body: JSON.stringify(body) } : init);
    const text = await response.text();
    return { status: response.status, body: parse(text), retryAfter: retryAfter(response.headers) };
  } catch (cause) {
    if (limit.signal.aborted) throw limit.signal.reason;
    throw new Retriable(reason(cause), { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

function tooLongToWait(url: URL, asked: number): RerankError {
  return new RerankError(
    "REMOTE_FAILED",
    `${address(url)} is overloaded and asks to wait ${Math.ceil(asked / 1000)} s (Retry-After); try again later.`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function timedOut(url: URL, timeout: number): RerankError {
  return new RerankError(
    "REMOTE_FAILED",
    `No answer from ${address(url)} in ${timeout} ms; raise the option timeout or lower maxBatch.`,
  );
}
