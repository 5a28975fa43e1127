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
 */
export function endpointFromEnvironment(env = process.env): Endpoint | undefined {
  const { OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL, OLLAMA_HOST, OLLAMA_MODEL } = env;
  if (OPENAI_BASE_URL || OPENAI_API_KEY) {
    const url = OPENAI_BASE_URL || "https://api.openai.com/v1";
    return { url, model: OPENAI_MODEL || "gpt-4o-mini", key: OPENAI_API_KEY };
  }
  if (!OLLAMA_HOST && !OLLAMA_MODEL) return undefined;
  const host = OLLAMA_HOST || "127.0.0.1:11434";
  const url = `${host.includes("://") ? host : `http://${host}`}/v1`;
  return { url, model: OLLAMA_MODEL || "llama3.2", key: undefined };
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
  let rest = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const data = /^data:\s*(.+?)\s*$/.exec(line)?.[1];
      if (!data || data === "[DONE]") continue;
      const content: unknown = JSON.parse(data).choices?.[0]?.delta?.content;
      if (typeof content === "string") yield content;
    }
  }
}
