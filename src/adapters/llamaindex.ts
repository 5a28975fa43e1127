import type { BaseNodePostprocessor, CallbackManager, MessageContent, MetadataMode, NodeWithScore } from "llamaindex";
import { RerankError, show } from "../errors.js";
import type { LoadOptions } from "../types.js";
import { isBoolean, isOneOf, isPositiveInteger, type OptionCheck } from "../validate.js";
import { type AdapterRankOptions, type AdapterReranker, makeReranker, type RerankerSource } from "./source.js";

/** Options of {@link BgeRerankerPostprocessor}: where scores come from, and what becomes of them. */
export type BgeRerankerPostprocessorOptions = RerankerSource &
  AdapterRankOptions & {
    /** Nodes to return at most. @default 2 */
    topN?: number;
    /** Which metadata are part of a node's text, as for an embedding (`"EMBED"`), an LLM, `"ALL"` or `"NONE"`. @default "EMBED" */
    metadataMode?: `${MetadataMode}`;
    /** Keep the score that a node came with as `retrievalScore` in the metadata of a copy of the node. @default false */
    keepRetrievalScore?: boolean;
    /** Told of `rerank-start` and `rerank-end`; mostly `Settings.callbackManager`. @default none */
    callbackManager?: Pick<CallbackManager, "dispatchEvent">;
  };

/** Detail of the `rerank-start` event. */
export interface RerankStartEvent {
  id: string;
  query: string;
  topN: number;
  nodes: NodeWithScore[];
}

/** Detail of the `rerank-end` event, with the nodes kept. */
export type RerankEndEvent = Omit<RerankStartEvent, "topN">;

declare module "llamaindex" {
  interface LlamaIndexEventMaps {
    "rerank-start": RerankStartEvent;
    "rerank-end": RerankEndEvent;
  }
}

const isCallbackManager: OptionCheck = (value) =>
  typeof value === "object" && value !== null && "dispatchEvent" in value ? undefined : "a CallbackManager";

const ownChecks: Record<string, OptionCheck> = {
  topN: isPositiveInteger,
  metadataMode: isOneOf("ALL", "EMBED", "LLM", "NONE"),
  keepRetrievalScore: isBoolean,
  callbackManager: isCallbackManager,
};

/**
 * A LlamaIndex.TS postprocessor that keeps the nodes a cross-encoder finds most relevant, best first.
 * The model loads on first use.
 *
 * @throws RerankError `OPTION_INVALID`
 */
export class BgeRerankerPostprocessor implements BaseNodePostprocessor {
  readonly topN: number;
  readonly #options: BgeRerankerPostprocessorOptions;
  readonly #made: AdapterReranker;

  constructor(options: BgeRerankerPostprocessorOptions = {}) {
    this.#made = makeReranker("BgeRerankerPostprocessor", options, ownChecks);
    this.#options = { ...options };
    this.topN = options.topN ?? 2;
  }

  /** New wrappers with the new score round the same nodes; the given ones stay as they are. */
  async postprocessNodes(nodes: NodeWithScore[], query?: MessageContent): Promise<NodeWithScore[]> {
    if (nodes.length === 0) return [];
    const { callbackManager, metadataMode = "EMBED", keepRetrievalScore, scoreThreshold, normalize } = this.#options;
    const text = queryText(query);
    const given = [...nodes];
    const id = crypto.randomUUID();
    callbackManager?.dispatchEvent("rerank-start", { id, query: text, topN: this.topN, nodes: given });
    const passages = given.map(({ node }) => node.getContent(metadataMode as MetadataMode));
    const ranked = await this.#made.reranker.rank(text, passages, { topN: this.topN, scoreThreshold, normalize });
    const kept = ranked.map(({ index, score }) => {
      const { node, score: retrievalScore } = given[index]!;
      return { node: keepRetrievalScore ? withRetrievalScore(node, retrievalScore) : node, score };
    });
    callbackManager?.dispatchEvent("rerank-end", { id, query: text, nodes: kept });
    return kept;
  }

  /** Load the model now instead of on first use. */
  load(options?: LoadOptions): Promise<void> {
    return this.#made.reranker.load(options);
  }

  /** Free the model, unless it came in as `reranker` or another adapter uses it. */
  dispose(): Promise<void> {
    return this.#made.dispose();
  }
}

function queryText(query: MessageContent | undefined): string {
  const parts = Array.isArray(query) ? query.map((part) => (part.type === "text" ? part.text : "")) : [query];
  const text = parts.filter((part) => typeof part === "string" && part !== "").join("\n\n");
  if (text.trim()) return text;
  throw new RerankError("INPUT_INVALID", `BgeRerankerPostprocessor needs a query with text, got ${show(query)}.`);
}

// The number is for programs: neither an embedding nor the prompt of an LLM should contain it.
function withRetrievalScore(node: NodeWithScore["node"], retrievalScore: number | undefined): NodeWithScore["node"] {
  const copy = node.clone();
  copy.metadata = { ...copy.metadata, retrievalScore };
  copy.excludedEmbedMetadataKeys = [...copy.excludedEmbedMetadataKeys, "retrievalScore"];
  copy.excludedLlmMetadataKeys = [...copy.excludedLlmMetadataKeys, "retrievalScore"];
  return copy;
}
