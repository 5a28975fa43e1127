import type { BaseNodePostprocessor, CallbackManager, MessageContent, MetadataMode, NodeWithScore } from "llamaindex";
import { RerankError, show } from "../errors.js";
import type { LoadOptions, RankOptions } from "../types.js";
import {
  checkOptions,
  isAbortSignal,
  isBoolean,
  isFunction,
  isOneOf,
  isPositiveInteger,
  isWeight,
  type OptionCheck,
} from "../validate.js";
import { anySignal, Ranking, type RankingOptions } from "./ranking.js";
import { type AdapterReranker, makeReranker, type RerankerSource } from "./source.js";

/** Options of {@link BgeRerankerPostprocessor}: where scores come from, and what becomes of them. */
export type BgeRerankerPostprocessorOptions = RerankerSource &
  RankingOptions & {
    /** Nodes to return at most. @default 2 */
    topN?: number;
    /** Which metadata are part of a node's text, as for an embedding (`"EMBED"`), an LLM, `"ALL"` or `"NONE"`. @default "EMBED" */
    metadataMode?: `${MetadataMode}`;
    /** Keep the score that a node came with as `retrievalScore` in the metadata of a copy of the node. @default false */
    keepRetrievalScore?: boolean;
    /**
     * Weight of the score that a node came with, from 0 (none) to 1 (it alone). With it the order blends both scores;
     * the score that is returned stays the model's. @default none: the model alone decides
     */
    retrievalWeight?: number;
    /** Aborts everything that this postprocessor does. @default none */
    signal?: AbortSignal;
    /** Told of `rerank-start` and `rerank-end`; mostly `Settings.callbackManager`. @default none */
    callbackManager?: Pick<CallbackManager, "dispatchEvent">;
  };

/** Options of one call. */
export type BgeRerankerCallOptions = Pick<RankOptions, "signal" | "onProgress">;

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
  retrievalWeight: isWeight,
  signal: isAbortSignal,
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
  readonly #ranking: Ranking;

  constructor(options: BgeRerankerPostprocessorOptions = {}) {
    this.#made = makeReranker("BgeRerankerPostprocessor", options, ownChecks);
    this.#ranking = new Ranking("BgeRerankerPostprocessor", this.#made.reranker, options);
    this.#options = { ...options };
    this.topN = options.topN ?? 2;
  }

  /** New wrappers with the new score round the same nodes; the given ones stay as they are. */
  async postprocessNodes(
    nodes: NodeWithScore[],
    query?: MessageContent,
    options: BgeRerankerCallOptions = {},
  ): Promise<NodeWithScore[]> {
    checkOptions("postprocessNodes", options, { signal: isAbortSignal, onProgress: isFunction });
    const given = listOf(nodes);
    if (given.length === 0) return [];
    const text = queryText(query);
    const { callbackManager, keepRetrievalScore } = this.#options;
    const id = crypto.randomUUID();
    callbackManager?.dispatchEvent("rerank-start", { id, query: text, topN: this.topN, nodes: given });
    const call = { ...options, topN: this.topN, signal: anySignal(this.#options.signal, options.signal) };
    const places = await this.#ranking.orKeepOrder(given.length, call, () => this.#rank(given, text, call));
    const kept = places.map(({ index, score }): NodeWithScore => {
      const { node, score: retrievalScore } = given[index]!;
      const shown = keepRetrievalScore ? withRetrievalScore(node, retrievalScore) : node;
      return score === undefined ? { node: shown } : { node: shown, score };
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

  async #rank(nodes: readonly NodeWithScore[], query: string, call: RankOptions) {
    const { metadataMode = "EMBED", retrievalWeight } = this.#options;
    const texts = nodes.map(({ node }) => node.getContent(metadataMode as MetadataMode));
    const retrieval = retrievalWeight === undefined ? {} : { retrievalScores: nodes.map(scoreOf), retrievalWeight };
    return this.#ranking.rank(query, texts, { ...call, ...retrieval });
  }
}

/** A copy whose members are nodes. */
function listOf(nodes: readonly NodeWithScore[]): NodeWithScore[] {
  if (!Array.isArray(nodes)) throw new RerankError("INPUT_INVALID", `The nodes must be an array, got ${show(nodes)}.`);
  return Array.from(nodes, (given: Partial<NodeWithScore> | null | undefined, index) => {
    if (typeof given?.node?.getContent === "function") return given as NodeWithScore;
    throw new RerankError("INPUT_INVALID", `Node ${index} must be { node, score }, got ${show(given)}.`);
  });
}

function scoreOf({ score }: NodeWithScore, index: number): number {
  if (typeof score === "number") return score;
  throw new RerankError(
    "INPUT_INVALID",
    `Node ${index} came without a score, which retrievalWeight needs: got ${show(score)}.`,
  );
}

function queryText(query: MessageContent | undefined): string {
  const parts = Array.isArray(query) ? query.map((part) => (part?.type === "text" ? part.text : "")) : [query];
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
