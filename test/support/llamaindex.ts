import {
  BaseEmbedding,
  BaseLLM,
  type ChatMessage,
  type ChatResponse,
  type ChatResponseChunk,
  type LLMChatParamsNonStreaming,
  type LLMChatParamsStreaming,
} from "llamaindex";
import { embedWords } from "./embeddings.js";

export class WordEmbedding extends BaseEmbedding {
  // biome-ignore lint/complexity/noUselessConstructor: the inherited one is protected
  constructor() {
    super();
  }
  override async getTextEmbedding(text: string): Promise<number[]> {
    return embedWords(text);
  }
}

/** Answers always the same and remembers what it was asked. */
export class EchoLLM extends BaseLLM {
  readonly prompts: string[] = [];
  override metadata = {
    model: "echo",
    temperature: 0,
    topP: 1,
    contextWindow: 4096,
    tokenizer: undefined,
    structuredOutput: false,
  };

  override chat(params: LLMChatParamsStreaming): Promise<AsyncIterable<ChatResponseChunk>>;
  override chat(params: LLMChatParamsNonStreaming): Promise<ChatResponse>;
  override async chat(
    params: LLMChatParamsStreaming | LLMChatParamsNonStreaming,
  ): Promise<ChatResponse | AsyncIterable<ChatResponseChunk>> {
    this.prompts.push(params.messages.map(textOf).join("\n"));
    if (params.stream) {
      return (async function* () {
        yield { delta: "Nine ", raw: null };
        yield { delta: "hours.", raw: null };
      })();
    }
    return { message: { role: "assistant", content: "Nine hours." }, raw: null };
  }
}

function textOf({ content }: ChatMessage): string {
  return typeof content === "string"
    ? content
    : content.map((part) => (part.type === "text" ? part.text : "")).join("");
}
