import { RerankError, show } from "../errors.js";
import {
  isMilliseconds,
  isOneOf,
  isPositiveInteger,
  isText,
  type OptionCheck,
  type OptionChecks,
  secret,
} from "../validate.js";

/** Options of `remoteReranker`. */
export interface RemoteOptions {
  /**
   * Where the engine listens: its base (`"http://localhost:8080"`, `"https://api.jina.ai/v1"`), or the full path of
   * its rerank endpoint (`"http://localhost:8000/v2/rerank"`).
   */
  url: string | URL;
  /**
   * `"tei"` is Hugging Face's Text Embeddings Inference, `"cohere"` the shape that Cohere, Jina, Voyage, vLLM,
   * Infinity and llama.cpp share. `"auto"` asks `GET /info`, which only TEI answers in its own way.
   * @default "auto"
   */
  api?: "auto" | "tei" | "cohere";
  /** Model name to send. The hosted APIs require one; TEI serves a single model and takes none. @default none */
  model?: string;
  /** Sent as `Authorization: Bearer`. @default none */
  apiKey?: string;
  /** Further request headers. @default none */
  headers?: Readonly<Record<string, string>>;
  /** Further members of the request body, such as vLLM's `{ truncate_prompt_tokens: 512 }`. @default none */
  body?: Readonly<Record<string, unknown>>;
  /** Milliseconds that one attempt may take; running out is not tried again. From 1 to 2147483647. @default 60000 */
  timeout?: number;
  /**
   * Further attempts after a broken connection or a status of 429, 502, 503 or 504. `Retry-After` is honoured up to a
   * minute; without it the waits double from a quarter of a second, with jitter. @default 3
   */
  maxRetries?: number;
  /** Most passages in one request. @default what TEI's `/info` allows, else 100 */
  maxBatch?: number;
  /** Requests of one call that are under way at once. @default 4 */
  concurrency?: number;
  /**
   * What a Cohere-shaped engine returns: `"sigmoid"`, relevance between 0 and 1 as most do, or `"logit"`, raw scores as
   * llama.cpp does. A sigmoid is turned back into its logit where a call asks for raw scores; one that has saturated
   * at 0 or 1 has lost it and throws `REMOTE_FAILED`. From TEI we always take raw scores.
   * @default "sigmoid"
   */
  scores?: "sigmoid" | "logit";
}

/** Checks of {@link RemoteOptions}, for `checkOptions`. */
export const remoteOptionChecks: OptionChecks<RemoteOptions> = {
  url: (value) => (typeof value === "string" || value instanceof URL ? undefined : "a URL"),
  api: (value) =>
    value === "kserve"
      ? '"auto", "tei" or "cohere" ("kserve" needs tokens made here, which is not supported yet)'
      : isOneOf("auto", "tei", "cohere")(value),
  model: isText,
  apiKey: secret(isText),
  headers: secret(isRecord),
  body: isRecord,
  timeout: isMilliseconds,
  maxRetries: (value) => (value === 0 ? undefined : isPositiveInteger(value) && "an integer from 0 up"),
  maxBatch: isPositiveInteger,
  concurrency: isPositiveInteger,
  scores: isOneOf("sigmoid", "logit"),
};

function isRecord(value: unknown): ReturnType<OptionCheck> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? undefined : "an object";
}

/** @throws RerankError `OPTION_INVALID` */
export function parseUrl(url: unknown): URL {
  const given = String(url);
  const wrong = (why: string) => new RerankError("OPTION_INVALID", `remoteReranker: url must ${why}.`);
  const parsed = URL.canParse(given) ? new URL(given) : undefined;
  const usable = parsed?.protocol === "https:" || parsed?.protocol === "http:";
  if (usable && !parsed.username && !parsed.password) return parsed;
  // Not shown where what stands before an @ may be a password.
  if (given.includes("@")) throw wrong("be an http or https URL without user and password; use apiKey or headers");
  throw wrong(`be an http or https URL, got ${show(url)}`);
}

/**
 * What no message may repeat, not even a header's value: it could hold a key.
 *
 * @throws RerankError `OPTION_INVALID`
 */
export function requestHeaders({ apiKey, headers = {} }: RemoteOptions): Headers {
  const result = new Headers({ accept: "application/json", "content-type": "application/json" });
  const set = (name: string, value: unknown, option: string) => {
    try {
      if (typeof value !== "string") throw new TypeError("not a string");
      result.set(name, value);
    } catch {
      // No cause: the error of Headers repeats the value.
      throw new RerankError(
        "OPTION_INVALID",
        `remoteReranker: ${option} cannot be sent: it must be a string of printable ASCII.`,
      );
    }
  };
  if (apiKey) set("authorization", `Bearer ${apiKey}`, "apiKey");
  for (const [name, value] of Object.entries(headers)) set(name, value, `the header ${show(name)}`);
  return result;
}

/** What must not get into messages: the key, words of headers, the URL's query. */
export function secretsOf(url: URL, { apiKey, headers = {} }: RemoteOptions): (string | undefined)[] {
  const words = Object.values(headers).flatMap((value) => String(value).split(/\s+/));
  return [apiKey?.trim(), ...words.filter(({ length }) => length >= 8), url.search, ...url.searchParams.values()];
}
