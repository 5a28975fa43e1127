import { setTimeout as sleep } from "node:timers/promises";
import { RerankError } from "../errors.js";

/** Longest time in milliseconds that we wait before a retry, whoever asks for it. */
const LONGEST_WAIT = 60_000;
const FIRST_WAIT = 250;
const RETRIED = new Set([429, 502, 503, 504]);

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
 * Overload (429, 502, 503, 504) and broken connections are tried again, after `Retry-After` or else after an
 * exponential backoff with jitter. Everything else, and what the last attempt gave, is returned.
 *
 * @param signal Its reason is what the call rejects with when it fires.
 * @throws RerankError `REMOTE_FAILED` when the connection fails, a time limit passes or the asked wait is too long.
 */
export async function exchange(
  url: URL,
  body: object | undefined,
  http: HttpOptions,
  signal: AbortSignal,
): Promise<HttpReply> {
  for (let retry = 0; ; retry++) {
    const result = await attempt(url, body, http, signal);
    const retriable = result instanceof BrokenConnection || RETRIED.has(result.status);
    if (retriable && retry < http.maxRetries) {
      await wait(url, result instanceof BrokenConnection ? undefined : result.retryAfter, retry, signal);
      continue;
    }
    if (!(result instanceof BrokenConnection)) return result;
    throw new RerankError(
      "REMOTE_FAILED",
      `No answer from ${address(url)} in ${retry + 1} attempts: ${reason(result.cause)}. Is the engine running there?`,
      { cause: result.cause },
    );
  }
}

/** A URL without its query string, which may hold secrets. */
export function address(url: URL): string {
  return url.origin + url.pathname;
}

class BrokenConnection {
  constructor(readonly cause: unknown) {}
}

async function attempt(
  url: URL,
  body: object | undefined,
  http: HttpOptions,
  signal: AbortSignal,
): Promise<Attempt | BrokenConnection> {
  const limit = new AbortController();
  const stop = () => limit.abort(signal.reason);
  if (signal.aborted) throw signal.reason;
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
    return new BrokenConnection(cause);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

async function wait(url: URL, asked: number | undefined, retry: number, signal: AbortSignal): Promise<void> {
  if (asked !== undefined && asked > LONGEST_WAIT) {
    throw new RerankError(
      "REMOTE_FAILED",
      `${address(url)} is overloaded and asks to wait ${Math.ceil(asked / 1000)} s (Retry-After); try again later.`,
    );
  }
  const backoff = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** retry) * (0.5 + Math.random() / 2);
  await sleep(asked ?? backoff, undefined, { signal }).catch(() => {
    throw signal.reason;
  });
}

// Seconds or an HTTP date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
function retryAfter(headers: Headers): number | undefined {
  const value = headers.get("retry-after")?.trim();
  if (!value) return undefined;
  const milliseconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
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

// fetch says "fetch failed" and keeps what happened in the cause.
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.cause.name : error.message;
}
