import { RerankError, show } from "../../errors.js";
import { address, discard } from "../../http/body.js";
import { Retriable, reason, retryAfter, withRetries } from "../../http/retry.js";

/** Waiting times in milliseconds; one object, so that tests can shorten them. */
export const timing = {
  /** A server that sends neither headers nor data for this long counts as a broken connection. */
  silence: 10_000,
  /** So does one that sends less than `LEAST_PROGRESS` bytes in any stretch of this length. */
  slowness: 60_000,
  /** Wait before the second attempt; doubles with each further one, and is jittered. */
  backoff: 500,
  /** The longest Retry-After that is waited out. */
  longestRetryAfter: 120_000,
};

/** Bytes that an attempt has to bring to count as one that got somewhere. */
export const LEAST_PROGRESS = 64 * 1024;

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

/** The hub gave no answer, however often it was asked; what the cache holds may serve instead. */
export class HubUnreachable extends RerankError {}

/** Runs attempts at something that the hub has to answer. */
export async function askHub<T>(
  connection: HubConnection,
  attempt: () => Promise<T>,
  progress?: () => Promise<number>,
): Promise<T> {
  const { signal, attempts } = connection;
  const { backoff: firstWait, longestRetryAfter: longestWait } = timing;
  try {
    return await withRetries(attempt, { signal, attempts, firstWait, longestWait, ...(progress && { progress }) });
  } catch (error) {
    throw error instanceof Retriable ? unreachable(connection, error) : error;
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
      return await use(response, chunksOf(response, from, watch.received), trusted);
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
    if (!URL.canParse(location, from.href)) throw new Retriable(`${address(from)} redirects to ${show(location)}`);
    from = new URL(location, from);
  }
  throw new RerankError("DOWNLOAD_FAILED", `Too many redirects from ${address(start)}.`);
}

function isRedirect({ status, headers }: Response): boolean {
  return status >= 300 && status < 400 && headers.has("location");
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    throw new Retriable(`no connection to ${address(url)} (${reason(cause)})`, { cause });
  }
}

async function* chunksOf(response: Response, url: URL, received: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const step = await reader.read().catch((cause) => {
        const tooSlow = cause instanceof TooSlow;
        throw new Retriable(`the connection to ${address(url)} broke (${reason(cause)})`, { cause, tooSlow });
      });
      if (step.done) return;
      received(step.value.length);
      yield step.value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

class TooSlow extends Error {}

/** Fires when the caller aborts, and when a server is silent or too slow. */
function watchdog(caller: AbortSignal | undefined) {
  const controller = new AbortController();
  const giveUp = () => controller.abort(new Error(`silent for ${timing.silence / 1000} s`));
  const silence = setTimeout(giveUp, timing.silence);
  let recent = 0;
  const slowness = setInterval(() => {
    const message = `less than ${LEAST_PROGRESS} bytes in ${timing.slowness / 1000} s`;
    if (recent < LEAST_PROGRESS) controller.abort(new TooSlow(message));
    recent = 0;
  }, timing.slowness);
  const stop = () => controller.abort(caller?.reason);
  if (caller?.aborted) stop();
  caller?.addEventListener("abort", stop, { once: true });
  return {
    signal: controller.signal,
    received: (bytes: number) => {
      silence.refresh();
      recent += bytes;
    },
    clear: () => {
      clearTimeout(silence);
      clearInterval(slowness);
      caller?.removeEventListener("abort", stop);
    },
  };
}

function checkStatus(response: Response, url: URL, trusted: boolean, connection: HubConnection): void {
  const { status, headers } = response;
  if (response.ok || status === 416) return;
  const answer = `${address(url)} answered ${status}`;
  if (status === 429 || status >= 500) throw new Retriable(answer, { retryAfter: retryAfter(headers) });
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

function unreachable({ id, endpoint }: HubConnection, { message, options }: Retriable): HubUnreachable {
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
