export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

/** An OpenAI-compatible endpoint. */
export interface Endpoint {
  url: string;
  model: string;
  key: string | undefined;
}

/**
 * The language model that the environment names, if any: `OPENAI_BASE_URL`, `OPENAI_API_KEY`, `OPENAI_MODEL` for any
 * OpenAI-compatible endpoint, else `OLLAMA_HOST`, `OLLAMA_MODEL` for Ollama, which speaks the same protocol under /v1.
 * A key alone names none: nothing is sent to an address that nobody has given.
 */
export function endpointFromEnvironment(env = process.env): Endpoint | undefined {
  const { OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL, OLLAMA_HOST, OLLAMA_MODEL } = env;
  if (OPENAI_BASE_URL) return { url: OPENAI_BASE_URL, model: OPENAI_MODEL || "gpt-4o-mini", key: OPENAI_API_KEY };
  if (!OLLAMA_HOST && !OLLAMA_MODEL) return undefined;
  return { url: `${ollamaAddress(OLLAMA_HOST)}/v1`, model: OLLAMA_MODEL || "llama3.2", key: undefined };
}

/** As Ollama reads it: without a scheme the port is 11434, and a server's own 0.0.0.0 is this machine. */
function ollamaAddress(host = ""): string {
  const given = host.replace(/\/+$/, "") || "127.0.0.1";
  if (given.includes("://")) return given;
  const withPort = /:\d+$/.test(given) ? given : `${given}:11434`;
  return `http://${withPort.replace(/^0\.0\.0\.0:/, "127.0.0.1:")}`;
}

/** What the model says to the messages, as it comes. */
export async function* streamChat(endpoint: Endpoint, messages: readonly Message[]): AsyncGenerator<string> {
  const response = await fetch(`${endpoint.url.replace(/\/+$/, "")}/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(endpoint.key && { authorization: `Bearer ${endpoint.key}` }),
    },
    body: JSON.stringify({ model: endpoint.model, messages, stream: true }),
  });
  if (!response.ok || !response.body) {
    throw new Error(`${endpoint.url} answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
  }
  let answered = false;
  let first = "";
  for await (const line of linesOf(response.body)) {
    first ||= line;
    const data = /^data:\s*(.+?)\s*$/.exec(line)?.[1];
    if (!data) continue;
    answered = true;
    if (data === "[DONE]") continue;
    const { error, choices } = JSON.parse(data);
    if (error) throw new Error(`${endpoint.url} broke off: ${error.message ?? JSON.stringify(error)}`);
    const content: unknown = choices?.[0]?.delta?.content;
    if (typeof content === "string") yield content;
  }
  // A login page, for instance.
  if (!answered) throw new Error(`${endpoint.url} is no OpenAI-compatible endpoint; it said: ${first.slice(0, 300)}`);
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  yield rest;
}
