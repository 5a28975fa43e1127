import { setTimeout as sleep } from "node:timers/promises";
import { RerankError, show } from "../../errors.js";

/** Waiting times in milliseconds; one object, so that tests can shorten them. */
export const timing = {
  /** A server that sends neither headers nor data for this long counts as a broken connection. */
  silence: 10_000,
  /** Wait before the second attempt; doubles with each further one, and is jittered. */
  backoff: 500,
  /** The longest Retry-After that is waited out. */
  longestRetryAfter: 120_000,
};

/** One conversation with the hub about one revision of one repository. */
export interface HubConnection {
  endpoint: string;
  token: string | undefined;
  signal: AbortSignal | undefined;
  /** Attempts in a row without progress before giving up. */
  attempts: number;
  id: string;
  revision: string;
}

/** Worth another attempt: a broken connection, 5xx or 429. */
export class BrokenTransfer extends Error {
  constructor(
    message: string,
    readonly options: { cause?: unknown; retryAfter?: number | undefined } = {},
  ) {
    super(message, options);
  }
}

/** The hub gave no answer, however often it was asked; what the cache holds may serve instead. */
export class HubUnreachable extends RerankError {}

/** Runs `attempt` until it succeeds, waiting after each `BrokenTransfer`. Growth of `progress()` resets the count. */
export async function withRetries<T>(
  connection: HubConnection,
  attempt: () => Promise<T>,
  progress: () => number | Promise<number> = () => 0,
): Promise<T> {
  let best = await progress();
  for (let failures = 1; ; failures++) {
    throwIfAborted(connection);
    try {
      return await attempt();
    } catch (error) {
      throwIfAborted(connection);
      if (!(error instanceof BrokenTransfer)) throw error;
      const reached = await progress();
      if (reached > best) failures = 0;
      best = Math.max(best, reached);
      const wait =
        error.options.retryAfter ?? timing.backoff * 2 ** Math.max(0, failures - 1) * (0.5 + Math.random() / 2);
      if (failures >= connection.attempts || wait > timing.longestRetryAfter) throw unreachable(connection, error);
      await pause(wait, connection);
    }
  }
}

interface RequestOptions {
  method?: "GET" | "HEAD";
  headers?: Record<string, string>;
  /** Takes a redirect as the answer instead of following it. */
  stopAt?: (redirect: Response) => boolean;
}

/**
 * One request. `use` gets the final answer (2xx, or 416), or the redirect that `stopAt` accepts; `trusted` tells
 * whether it comes from the hub's own origin.
 */
export async function request<T>(
  connection: HubConnection,
  url: string,
  options: RequestOptions,
  use: (response: Response, chunks: AsyncIterable<Uint8Array>, trusted: boolean) => Promise<T>,
): Promise<T> {
  const watch = watchdog(connection.signal);
  try {
    const { response, from, trusted } = await follow(connection, new URL(url), options, watch.signal);
    try {
      if (!isRedirect(response)) checkStatus(response, from, trusted, connection);
      return await use(response, chunksOf(response, from, watch.refresh), trusted);
    } finally {
      if (!response.bodyUsed) await discard(response);
    }
  } finally {
    watch.clear();
  }
}

/** The token goes to the hub's own origin only, and never again once a redirect has led elsewhere. */
async function follow(connection: HubConnection, start: URL, options: RequestOptions, signal: AbortSignal) {
  const { method = "GET", stopAt } = options;
  const home = new URL(connection.endpoint).origin;
  let trusted = true;
  let from = start;
  for (let hops = 0; hops < 10; hops++) {
    trusted &&= from.origin === home;
    // identity: a compressed answer would hide the size and could not be resumed.
    const headers: Record<string, string> = { "accept-encoding": "identity", "user-agent": "bge-reranker" };
    if (trusted && connection.token) headers.authorization = `Bearer ${connection.token}`;
    const init: RequestInit = { method, headers: { ...headers, ...options.headers }, redirect: "manual", signal };
    const response = await send(from, init);
    if (!isRedirect(response) || stopAt?.(response)) return { response, from, trusted };
    await discard(response);
    const location = response.headers.get("location") ?? "";
    if (!URL.canParse(location, from.href)) throw new BrokenTransfer(`${place(from)} redirects to ${show(location)}`);
    from = new URL(location, from);
  }
  throw new RerankError("DOWNLOAD_FAILED", `Too many redirects from ${place(start)}.`);
}

function isRedirect({ status, headers }: Response): boolean {
  return status >= 300 && status < 400 && headers.has("location");
}

/** Frees the connection of an answer that is not read. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

export async function pause(milliseconds: number, connection: { signal: AbortSignal | undefined }): Promise<void> {
  await sleep(milliseconds, undefined, connection.signal ? { signal: connection.signal } : {}).catch(() => {});
  throwIfAborted(connection);
}

export function throwIfAborted({ signal }: { signal: AbortSignal | undefined }): void {
  if (signal?.aborted) {
    throw new RerankError("ABORTED", "Getting the model files was aborted.", { cause: signal.reason });
  }
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    throw new BrokenTransfer(`no connection to ${place(url)} (${reason(cause)})`, { cause });
  }
}

async function* chunksOf(response: Response, url: URL, alive: () => void): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const step = await reader.read().catch((cause) => {
        throw new BrokenTransfer(`the connection to ${place(url)} broke (${reason(cause)})`, { cause });
      });
      if (step.done) return;
      alive();
      yield step.value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Fires when the caller aborts, or when `refresh` was not called for `timing.silence`. */
function watchdog(caller: AbortSignal | undefined) {
  const controller = new AbortController();
  const giveUp = () => controller.abort(new Error(`silent for ${timing.silence / 1000} s`));
  const timer = setTimeout(giveUp, timing.silence);
  const stop = () => controller.abort(caller?.reason);
  if (caller?.aborted) stop();
  caller?.addEventListener("abort", stop, { once: true });
  return {
    signal: controller.signal,
    refresh: () => void timer.refresh(),
    clear: () => {
      clearTimeout(timer);
      caller?.removeEventListener("abort", stop);
    },
  };
}

function checkStatus(response: Response, url: URL, trusted: boolean, connection: HubConnection): void {
  const { status, headers } = response;
  if (response.ok || status === 416) return;
  const answer = `${place(url)} answered ${status}`;
  if (status === 429 || status >= 500) throw new BrokenTransfer(answer, { retryAfter: retryAfter(headers) });
  const said = headers.get("x-error-message");
  throw refusal(status, headers.get("x-error-code"), said ? `${answer}: ${said}` : answer, trusted, connection);
}

function refusal(
  status: number,
  code: string | null,
  answer: string,
  trusted: boolean,
  of: HubConnection,
): RerankError {
  const page = `${of.endpoint}/${of.id}`;
  if (code === "RevisionNotFound") {
    const message = `"${of.id}" has no revision "${of.revision}" (${answer}). See ${page}/tree/main for its branches.`;
    return new RerankError("MODEL_NOT_FOUND", message);
  }
  // The hub answers 401, not 404, when somebody without a token asks for a repository that does not exist.
  if (status === 404 || code === "RepoNotFound") {
    const message = `No model "${of.id}" at revision "${of.revision}" (${answer}). Check the name; a private model needs a token with access (HF_TOKEN).`;
    return new RerankError("MODEL_NOT_FOUND", message);
  }
  if (trusted && (status === 401 || status === 403)) {
    const token = of.token
      ? "make sure that the token given (HF_TOKEN) is valid and has access"
      : "set HF_TOKEN to a token with access";
    const message = `No access to "${of.id}" (${answer}). If it is gated, accept its licence at ${page}; ${token}.`;
    return new RerankError("DOWNLOAD_FAILED", message);
  }
  return new RerankError("DOWNLOAD_FAILED", `"${of.id}" could not be downloaded: ${answer}.`);
}

function unreachable({ id, endpoint }: HubConnection, { message, options }: BrokenTransfer): HubUnreachable {
  const wait = options.retryAfter ? ` It asks to wait ${Math.ceil(options.retryAfter / 1000)} s.` : "";
  // https://nodejs.org/api/cli.html#node_use_env_proxy1
  const proxy = process.env.HTTPS_PROXY || process.env.https_proxy;
  const hint = proxy && !process.env.NODE_USE_ENV_PROXY ? " Node uses HTTPS_PROXY only with NODE_USE_ENV_PROXY=1." : "";
  return new HubUnreachable(
    "DOWNLOAD_FAILED",
    `"${id}" could not be downloaded from ${endpoint}: ${message}.${wait} Try again (a download goes on where it stopped), or name a mirror in HF_ENDPOINT.${hint}`,
    { cause: options.cause },
  );
}

/** Milliseconds; the header holds seconds or a date. */
function retryAfter(headers: Headers): number | undefined {
  const value = headers.get("retry-after");
  if (!value) return undefined;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}

/** A URL without its query, which may hold a signature. */
function place(url: URL): string {
  return url.origin + url.pathname;
}

/** fetch hides what happened in `cause`. */
function reason(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: string; message?: string }; message?: string };
  return cause?.code || cause?.message || message || String(error);
}
