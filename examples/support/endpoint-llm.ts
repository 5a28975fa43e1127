import {
  BaseLLM,
  type ChatMessage,
  type ChatResponse,
  type ChatResponseChunk,
  extractText,
  type LLMChatParamsNonStreaming,
  type LLMChatParamsStreaming,
} from "llamaindex";
import { type Endpoint, type Message, streamChat } from "./chat-model.js";

/** An OpenAI-compatible endpoint as a LlamaIndex LLM; `@llamaindex/openai` and its like do the same with more options. */
export class EndpointLLM extends BaseLLM {
  override metadata;

  constructor(private readonly endpoint: Endpoint) {
    super();
    const { model } = endpoint;
    this.metadata = {
      model,
      temperature: 0,
      topP: 1,
      contextWindow: 8192,
      tokenizer: undefined,
      structuredOutput: false,
    };
  }

  override chat(params: LLMChatParamsStreaming): Promise<AsyncIterable<ChatResponseChunk>>;
  override chat(params: LLMChatParamsNonStreaming): Promise<ChatResponse>;
  override async chat(
    params: LLMChatParamsStreaming | LLMChatParamsNonStreaming,
  ): Promise<ChatResponse | AsyncIterable<ChatResponseChunk>> {
    // ContextChatEngine adds the context as last message, and most models want instructions to come first.
    const messages = params.messages
      .map(plain)
      .sort((a, b) => Number(b.role === "system") - Number(a.role === "system"));
    const chunks = toChunks(streamChat(this.endpoint, messages));
    if (params.stream) return chunks;
    let content = "";
    for await (const { delta } of chunks) content += delta;
    return { message: { role: "assistant", content }, raw: null };
  }
}

async function* toChunks(texts: AsyncIterable<string>): AsyncGenerator<ChatResponseChunk> {
  for await (const delta of texts) yield { delta, raw: null };
}

function plain({ role, content }: ChatMessage): Message {
  return { role: role === "user" || role === "assistant" ? role : "system", content: extractText(content) };
}
