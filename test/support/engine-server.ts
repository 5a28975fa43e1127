import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { overlapLogit } from "./overlap.js";

export interface EngineRequest {
  method: string;
  path: string;
  /** The query string with its question mark, or empty. */
  search: string;
  headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON the client sent
  body: any;
}

export interface EngineReply {
  status?: number;
  headers?: Record<string, string>;
  /** JSON, or text as it is. */
  body?: unknown;
  /** Cut the connection instead of answering. */
  cut?: boolean;
  /** Milliseconds before the answer. */
  delay?: number;
}

/** Returns the reply to a request, or `undefined` to leave it to the next. */
export type Responder = (request: EngineRequest) => EngineReply | undefined;

export interface EngineServer extends AsyncDisposable {
  url: string;
  /** Every request so far. */
  requests: EngineRequest[];
  /** Requests for scores so far. */
  reranks(): EngineRequest[];
}

/** A loopback server that answers like an inference engine: the first responder with a reply wins, else 404. */
export async function startEngine(...responders: Responder[]): Promise<EngineServer> {
  const requests: EngineRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const request = await read(incoming);
    requests.push(request);
    let reply: EngineReply | undefined;
    for (const responder of responders) reply ??= responder(request);
    await send(response, reply ?? { status: 404, body: { error: `nothing at ${request.path}` } });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    reranks: () => requests.filter(({ path }) => path.endsWith("/rerank")),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** https://huggingface.github.io/text-embeddings-inference/ */
export function tei({ maxBatch = 32 } = {}): Responder {
  return ({ path, body }) => {
    if (path === "/info") {
      return {
        body: {
          model_id: "BAAI/bge-reranker-base",
          model_sha: "2cfc18c9415c912f9d8155881c133215df768a70",
          model_dtype: "float16",
          model_type: { reranker: { id2label: { "0": "LABEL_0" }, label2id: { LABEL_0: 0 } } },
          max_concurrent_requests: 512,
          max_input_length: 512,
          max_client_batch_size: maxBatch,
          version: "1.8.2",
        },
      };
    }
    if (path !== "/rerank") return undefined;
    const { query, texts, raw_scores, return_text } = body;
    if (texts.length === 0) return { status: 400, body: { error: "`texts` cannot be empty", error_type: "Empty" } };
    if (texts.length > maxBatch) {
      const error = `batch size ${texts.length} > maximum allowed batch size ${maxBatch}`;
      return { status: 413, body: { error, error_type: "Validation" } };
    }
    const results = descending(query, texts, raw_scores ? "logit" : "sigmoid");
    return { body: results.map(({ index, score }) => ({ index, score, ...(return_text && { text: texts[index] }) })) };
  };
}

/** The shape that Cohere, Jina, Voyage, vLLM and Infinity share, with their differences as options. */
export function cohere({
  paths = ["/v1/rerank", "/v2/rerank"],
  list = "results" as "results" | "data",
  key = "relevance_score" as "relevance_score" | "score",
  scores = "sigmoid" as "sigmoid" | "logit",
  document = "object" as "object" | "string" | "none",
} = {}): Responder {
  return ({ path, body }) => {
    if (!paths.includes(path)) return undefined;
    const results = descending(body.query, body.documents, scores).map(({ index, score }) => ({
      index,
      [key]: score,
      ...(document === "object" && { document: { text: body.documents[index] } }),
      ...(document === "string" && { document: body.documents[index] }),
    }));
    return { body: { id: "rerank-1", model: body.model, [list]: results, usage: { total_tokens: 12 } } };
  };
}

/** Gives each reply once, for requests whose path ends so, before the next responder is asked. */
export function first(path: string, ...replies: EngineReply[]): Responder {
  const left = [...replies];
  return (request) => (request.path.endsWith(path) ? left.shift() : undefined);
}

function descending(query: string, texts: string[], kind: "logit" | "sigmoid"): { index: number; score: number }[] {
  const logits = texts.map((text) => overlapLogit(query, text));
  const scores = kind === "logit" ? logits : logits.map((logit) => 1 / (1 + Math.exp(-logit)));
  return scores.map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score);
}

async function read(incoming: IncomingMessage): Promise<EngineRequest> {
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
  const { method = "", url = "", headers } = incoming;
  const { pathname: path, search } = new URL(url, "http://localhost");
  return { method, path, search, headers, body: text ? JSON.parse(text) : undefined };
}

async function send(response: ServerResponse, reply: EngineReply): Promise<void> {
  if (reply.delay) await new Promise((resolve) => setTimeout(resolve, reply.delay));
  if (reply.cut) {
    response.destroy();
    return;
  }
  const text = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body ?? {});
  response.writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers }).end(text);
}
