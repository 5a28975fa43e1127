import { RerankError, show } from "../errors.js";
import { address } from "../http/body.js";
import type { Redaction } from "../http/redaction.js";
import type { RerankerInfo } from "../types.js";
import { exchange, type HttpOptions, type HttpReply, type HttpRequest } from "./http.js";

/** TEI's own default of `max_client_batch_size`. */
const TEI_BATCH = 32;
/** Cohere bills a search per 100 documents, so smaller requests would cost more. */
const COHERE_BATCH = 100;

export interface ApiOptions {
  url: URL;
  api: "auto" | "tei" | "cohere";
  model: string | undefined;
  maxBatch: number | undefined;
  scores: "sigmoid" | "logit";
  body: Readonly<Record<string, unknown>>;
}

/** How one engine is talked to. */
export interface RemoteApi {
  readonly info: RerankerInfo;
  /** Most passages of one request. */
  readonly maxBatch: number;
  /** What the numbers are that it returns. */
  readonly scores: "sigmoid" | "logit";
  /** Scores of the texts, in input order. */
  score(query: string, texts: readonly string[], signal: AbortSignal): Promise<number[]>;
}

/**
 * Find out which API answers at the URL.
 *
 * - A full path with a version (`/v1/rerank`, `/v2/rerank`) is of the Cohere shape; nothing is asked.
 * - Elsewhere `GET /info` tells: only TEI answers it with `max_client_batch_size`.
 */
export async function findApi(options: ApiOptions, http: HttpOptions, signal: AbortSignal): Promise<RemoteApi> {
  const path = options.url.pathname.replace(/\/+$/, "");
  const base = path.replace(/\/rerank$/, "");
  const versioned = /\/v\d+$/.test(base);
  if (options.api === "tei" || (options.api === "auto" && !versioned)) {
    const reply = await exchange({ url: at(options.url, `${base}/info`), longestAnswer: 2 ** 20 }, http, signal);
    if (isTeiInfo(reply.body) || options.api === "tei") return teiApi(options, base, reply, http);
    if ([429, 502, 503, 504].includes(reply.status)) throw refused(at(options.url, `${base}/info`), reply);
  }
  if (base !== path || versioned) return cohereApi(options, [`${base}/rerank`], http);
  return cohereApi(options, [`${base}/v1/rerank`, `${base}/rerank`], http);
}

/** https://huggingface.github.io/text-embeddings-inference/ */
function teiApi(options: ApiOptions, base: string, reply: HttpReply, http: HttpOptions): RemoteApi {
  const facts = isTeiInfo(reply.body) ? reply.body : {};
  if ("model_type" in facts && isObject(facts.model_type) && "embedding" in facts.model_type) {
    throw new RerankError(
      "REMOTE_FAILED",
      `${address(options.url)} serves the embedding model ${show(facts.model_id)}; start the engine with a reranker.`,
    );
  }
  const endpoint = at(options.url, `${base}/rerank`);
  return {
    info: {
      ...remoteInfo(options.model ?? text(facts.model_id) ?? address(endpoint)),
      revision: text(facts.model_sha),
      dtype: text(facts.model_dtype),
      maxLength: typeof facts.max_input_length === "number" ? facts.max_input_length : undefined,
    },
    maxBatch: Math.min(options.maxBatch ?? Number.POSITIVE_INFINITY, facts.max_client_batch_size ?? TEI_BATCH),
    scores: "logit",
    async score(query, texts, signal) {
      const body = { query, texts, raw_scores: true, return_text: false, truncate: true, ...options.body };
      const reply = await exchange(scoring(endpoint, body, texts.length), http, signal);
      return readScores(endpoint, reply, { count: texts.length, kind: "logit", redaction: http.redaction });
    },
  };
}

/** The shape that Cohere, Jina, Voyage, vLLM, Infinity and llama.cpp share. */
function cohereApi(options: ApiOptions, paths: readonly string[], http: HttpOptions): RemoteApi {
  let endpoints = paths.map((path) => at(options.url, path));
  return {
    info: remoteInfo(options.model ?? address(endpoints[0]!)),
    maxBatch: options.maxBatch ?? COHERE_BATCH,
    scores: options.scores,
    async score(query, documents, signal) {
      for (const endpoint of endpoints) {
        // Jina returns the documents unless told not to; Cohere's v2 knows no such member.
        const quiet = endpoint.pathname.endsWith("/v2/rerank") ? {} : { return_documents: false };
        const body = { model: options.model, query, documents, ...quiet, ...options.body };
        const reply = await exchange(scoring(endpoint, body, documents.length), http, signal);
        if (reply.status === 404 && endpoint !== endpoints.at(-1)) continue;
        if (reply.status === 200) endpoints = [endpoint];
        const { scores: kind } = options;
        return readScores(endpoint, reply, { count: documents.length, kind, redaction: http.redaction });
      }
      throw new Error("unreachable: the last endpoint returns");
    },
  };
}

/**
 * A request for scores. Its answer has some members for each passage, and from engines that cannot leave them out the
 * passages themselves, whose letters JSON may write as six bytes for two.
 */
function scoring(url: URL, content: object, passages: number): HttpRequest {
  const body = JSON.stringify(content);
  return { url, body, longestAnswer: 2 ** 20 + 1024 * passages + 3 * Buffer.byteLength(body) };
}

/** Scores in input order from `results`, `data` or a bare array of `{index, relevance_score | score}`. */
function readScores(
  endpoint: URL,
  reply: HttpReply,
  { count, kind, redaction }: { count: number; kind: "sigmoid" | "logit"; redaction: Redaction },
): number[] {
  if (reply.status !== 200) throw refused(endpoint, reply);
  const shown = (value: unknown) => show(redaction.clean(value));
  const broken = (what: string) =>
    new RerankError("REMOTE_FAILED", `${address(endpoint)} gave an unusable answer: ${what}.`);
  const { body } = reply;
  const list = Array.isArray(body) ? body : isObject(body) ? (body.results ?? body.data) : undefined;
  if (!Array.isArray(list)) throw broken(`expected a list of results, got ${shown(body)}`);
  if (list.length !== count) throw broken(`${list.length} results for ${count} passages`);
  const scores = new Array<number | undefined>(count).fill(undefined);
  for (const item of list) {
    const { index, relevance_score, score = relevance_score } = isObject(item) ? item : {};
    if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index >= count) {
      throw broken(`a result without a valid index, ${shown(item)}`);
    }
    if (scores[index] !== undefined) throw broken(`index ${index} twice`);
    if (typeof score !== "number" || !Number.isFinite(score)) throw broken(`no numeric score in ${shown(item)}`);
    if (kind === "sigmoid" && (score < 0 || score > 1)) {
      throw broken(`the score ${score} is not between 0 and 1; if this engine returns logits, set scores: "logit"`);
    }
    scores[index] = score;
  }
  return scores as number[]; // as many as passages, none twice: no gap is left
}

/** The error of a reply with a status other than 200. */
function refused(url: URL, { status, body }: HttpReply): RerankError {
  const what = status >= 300 && status < 400 ? "redirects elsewhere; give the final URL" : message(body);
  return new RerankError("REMOTE_FAILED", `${address(url)} answered ${status}: ${what}`, { cause: body });
}

// TEI {error}, Cohere and old vLLM {message}, vLLM and OpenAI {error: {message}}, FastAPI and Jina {detail}
function message(body: unknown): string {
  if (typeof body === "string") return body.trim().slice(0, 300) || "(empty body)";
  if (!isObject(body)) return show(body);
  const { error, message, detail } = body;
  const said = isObject(error) ? error.message : (error ?? message ?? detail);
  return typeof said === "string" ? said.slice(0, 300) : show(body);
}

function at(url: URL, pathname: string): URL {
  const result = new URL(url);
  result.pathname = pathname;
  return result;
}

function remoteInfo(model: string): RerankerInfo {
  return {
    model,
    revision: undefined,
    architecture: "remote",
    device: "remote",
    dtype: undefined,
    maxLength: undefined,
  };
}

interface TeiInfo extends Record<string, unknown> {
  max_client_batch_size?: number;
}

function isTeiInfo(body: unknown): body is TeiInfo {
  return isObject(body) && Number.isSafeInteger(body.max_client_batch_size) && Number(body.max_client_batch_size) > 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
