import { RerankError } from "../errors.js";
import { type RemoteOptions, remoteOptionChecks } from "../remote/options.js";
import { remoteReranker } from "../remote/reranker.js";
import { DEFAULT_MODEL } from "../rerankers/local.js";
import { rerankerOptionChecks } from "../rerankers/option-checks.js";
import { sharedReranker } from "../rerankers/shared.js";
import type { Reranker, RerankerOptions } from "../types.js";
import { checkOptions, isText, type OptionCheck } from "../validate.js";
import { type RankingOptions, rankingOptionChecks } from "./ranking.js";

/** A model that runs here. */
export interface LocalSource extends RerankerOptions {
  /** A Hugging Face id, a local folder, or `"mini"`, the small model inside this package. @default "BAAI/bge-reranker-base" */
  model?: string;
  url?: never;
  reranker?: never;
}

/** An inference engine by URL. */
export interface RemoteSource extends RemoteOptions {
  reranker?: never;
}

/** A reranker that the caller made, and disposes. */
export interface GivenSource {
  reranker: Reranker;
  model?: never;
  url?: never;
}

/** Where an adapter's scores come from: exactly one of a local model, an engine by URL and a reranker. */
export type RerankerSource = LocalSource | RemoteSource | GivenSource;

/** An adapter's reranker, made from its options. */
export interface AdapterReranker {
  reranker: Reranker;
  /** Name for people: the model's, as far as it is known before the load. */
  name: string;
  /** Frees the reranker unless it is the caller's own. */
  dispose(): Promise<void>;
}

const isReranker: OptionCheck = (value) =>
  typeof value === "object" && value !== null && "rank" in value && typeof value.rank === "function"
    ? undefined
    : "a Reranker, from loadReranker, sharedReranker or remoteReranker";

type Checks = Readonly<Record<string, OptionCheck>>;

const sourceChecks: Record<"model" | "url" | "reranker", Checks> = {
  model: { model: isText, ...rerankerOptionChecks },
  url: remoteOptionChecks,
  reranker: { reranker: isReranker },
};

/**
 * Check all options of an adapter and make its reranker. Nothing is loaded yet.
 *
 * @param owner The adapter's name, for messages.
 * @param ownChecks Options that only this adapter knows.
 * @throws RerankError `OPTION_INVALID` for unknown names, wrong values, or more than one source.
 */
export function makeReranker(
  owner: string,
  options: RerankerSource & RankingOptions,
  ownChecks: Checks = {},
): AdapterReranker {
  const source = options?.reranker !== undefined ? "reranker" : options?.url !== undefined ? "url" : "model";
  const checks = { ...rankingOptionChecks, ...ownChecks, ...sourceChecks[source] };
  for (const [name, value] of Object.entries(options ?? {})) {
    const elsewhere = Object.values(sourceChecks).some((known) => Object.hasOwn(known, name));
    if (value === undefined || !elsewhere || Object.hasOwn(checks, name)) continue;
    throw new RerankError(
      "OPTION_INVALID",
      `${owner}: the option ${name} does not go with ${source === "model" ? "a local model" : source}; ` +
        "give model options, or url, or reranker, not a mixture.",
    );
  }
  checkOptions(owner, options, checks);
  if (options.reranker !== undefined) {
    return { reranker: options.reranker, name: "custom", dispose: async () => {} };
  }
  if (options.url !== undefined) {
    const reranker = remoteReranker(pick(options, sourceChecks.url));
    return { reranker, name: options.model ?? "remote", dispose: () => reranker.dispose() };
  }
  const { model = DEFAULT_MODEL, ...local } = pick(options, sourceChecks.model);
  const reranker = sharedReranker(model, local);
  return { reranker, name: model, dispose: () => reranker.dispose() };
}

/** The members that are known, without the adapter's own. */
function pick<T extends object>(options: T, known: Checks): T {
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(known, name))) as T;
}
