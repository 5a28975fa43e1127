import { RerankError } from "../errors.js";
import { address, readText } from "../http/body.js";
import type { Redaction } from "../http/redaction.js";
import { checkNotAborted, Retriable, reason, retryAfter, withRetries } from "../http/retry.js";

/** Longest time in milliseconds that we wait before a retry, whoever asks for it. */
const LONGEST_WAIT = 60_000;
const FIRST_WAIT = 250;
const OVERLOADED = new Set([429, 502, 503, 504]);

export interface HttpOptions {
  headers: Headers;
  redaction: Redaction;
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

/** What is sent to an engine, and how long its answer may be. */
export interface HttpRequest {
  url: URL;
  /** JSON, sent with POST; without it this is a GET. */
  body?: string;
  /** Bytes that an answer can need; a longer one is not read to its end. */
  longestAnswer: number;
}

/** Nobody reads more of an error than this. */
const LONGEST_ERROR = 64 * 1024;

/**
 * One HTTP exchange.
 *
 * Overload (429, 502, 503, 504) and broken connections are tried again. Everything else, and what the last attempt gave,
 * is returned.
 *
 * @throws RerankError `REMOTE_FAILED` when the connection fails, a time limit passes or the asked wait is too long;
 *   `ABORTED` when the signal fires.
 */
export async function exchange(request: HttpRequest, http: HttpOptions, signal: AbortSignal): Promise<HttpReply> {
  const { url } = request;
  let attempts = 0;
  let overloaded: HttpReply | undefined;
  const next = async () => {
    attempts++;
    overloaded = undefined;
    const { retryAfter, ...reply } = await attempt(request, http, signal);
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

async function attempt(request: HttpRequest, http: HttpOptions, signal: AbortSignal): Promise<Attempt> {
  const { url, body } = request;
  const limit = new AbortController();
  const stop = () => limit.abort(signal.reason);
  checkNotAborted(signal);
  signal.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(() => limit.abort(timedOut(url, http.timeout)), http.timeout);
  try {
    // Redirects are not followed: they could carry documents and keys to another host.
    const init: RequestInit = { headers: http.headers, redirect: "manual", signal: limit.signal };
    const response = await fetch(url, body ? { ...init, method: "POST", body } : init);
    const understood = response.status === 200;
    const longest = understood ? request.longestAnswer : LONGEST_ERROR;
    const { text, whole } = await readText(response.body ?? [], longest);
    if (understood && !whole) throw tooLong(url, longest);
    // Not of an answer that is understood: a key of four digits may occur in a score.
    const content = parse(understood ? text : http.redaction.text(text));
    return { status: response.status, body: content, retryAfter: retryAfter(response.headers) };
  } catch (cause) {
    if (limit.signal.aborted) throw limit.signal.reason;
    if (cause instanceof RerankError) throw cause;
    throw new Retriable(reason(cause), { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

function tooLong(url: URL, limit: number): RerankError {
  return new RerankError(
    "REMOTE_FAILED",
    `${address(url)} answered with more than ${limit} bytes, which is more than scores can need.`,
  );
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
