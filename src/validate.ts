import { RerankError, show } from "./errors.js";
import type { LoadOptions, RankOptions, RerankDocument, ScoreOptions } from "./types.js";

/** Checks one option's value: returns what was expected when the value is wrong, else `undefined`. */
export type OptionCheck = ((value: unknown) => string | undefined) & {
  /** The value may hold a key: messages tell its type only. */
  secret?: true;
};

/** The options a function knows, each with its check. `undefined` always stands for "not given". */
export type OptionChecks<T> = Readonly<Record<keyof T & string, OptionCheck>>;

export const isBoolean: OptionCheck = (value) => (typeof value === "boolean" ? undefined : "true or false");
export const isFunction: OptionCheck = (value) => (typeof value === "function" ? undefined : "a function");
export const isText: OptionCheck = (value) =>
  typeof value === "string" && value !== "" ? undefined : "a non-empty string";
export const isPositiveInteger: OptionCheck = (value) =>
  Number.isSafeInteger(value) && Number(value) > 0 ? undefined : "a positive integer";
export const isFiniteNumber: OptionCheck = (value) => (Number.isFinite(value) ? undefined : "a finite number");
/** What a timer can wait. */
export const isMilliseconds: OptionCheck = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) < 2 ** 31
    ? undefined
    : "an integer from 1 to 2147483647, in milliseconds";
export const isWeight: OptionCheck = (value) =>
  typeof value === "number" && value >= 0 && value <= 1 ? undefined : "a number from 0 to 1";
export const isAbortSignal: OptionCheck = (value) =>
  value instanceof AbortSignal ? undefined : "an AbortSignal (AbortController's signal)";
export const isOneOf =
  (...values: readonly string[]): OptionCheck =>
  (value) =>
    typeof value === "string" && values.includes(value) ? undefined : `one of ${values.map(show).join(", ")}`;

/** The same check of a value that messages must not show. */
export function secret(check: OptionCheck): OptionCheck {
  return Object.assign((value: unknown) => check(value), { secret: true } as const);
}

/**
 * Refuses unknown option names and wrong values.
 *
 * @param owner Whose options they are, for the message: `rank`, `BgeReranker`.
 * @throws RerankError `OPTION_INVALID`
 */
export function checkOptions<T extends object>(owner: string, options: unknown, checks: OptionChecks<T>): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new RerankError("OPTION_INVALID", `${owner} takes an object of options, got ${show(options)}.`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(checks, name)) {
      throw new RerankError(
        "OPTION_INVALID",
        `${owner} has no option ${show(name)}; its options are ${Object.keys(checks).join(", ")}.`,
      );
    }
    const check = checks[name as keyof T & string];
    const expected = check(value);
    if (expected) {
      const got = check.secret && value !== "" ? `a value of type ${typeof value}` : show(value);
      throw new RerankError("OPTION_INVALID", `${owner}: ${name} must be ${expected}, got ${got}.`);
    }
  }
}

/** Checks of `LoadOptions`, for {@link checkOptions}. */
export const loadOptionChecks: OptionChecks<LoadOptions> = { signal: isAbortSignal };

/** Checks of `ScoreOptions`, for {@link checkOptions}. */
export const scoreOptionChecks: OptionChecks<ScoreOptions> = {
  normalize: isBoolean,
  signal: isAbortSignal,
  timeout: isMilliseconds,
  onProgress: isFunction,
  onStats: isFunction,
};

/** Checks of `RankOptions`, for {@link checkOptions}. */
export const rankOptionChecks: OptionChecks<RankOptions> = {
  ...scoreOptionChecks,
  topN: isPositiveInteger,
  scoreThreshold: isFiniteNumber,
  retrievalScores: () => undefined, // input, see checkRetrieval
  retrievalWeight: isWeight,
  calibration: (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? undefined
      : isText(value) && "a path, or its content",
};

/**
 * @param count How many documents are to be ranked.
 * @throws RerankError `INPUT_INVALID` unless the first stage's scores are finite numbers, one for each document;
 * `OPTION_INVALID` for a weight without scores.
 */
export function checkRetrieval({ retrievalScores, retrievalWeight }: RankOptions, count: number): void {
  if (retrievalScores === undefined) {
    if (retrievalWeight === undefined) return;
    throw new RerankError(
      "OPTION_INVALID",
      "rank: retrievalWeight is the weight of retrievalScores, which are missing.",
    );
  }
  checkEach("retrievalScores", retrievalScores, (score, index) => {
    if (Number.isFinite(score)) return;
    throw new RerankError("INPUT_INVALID", `Retrieval score ${index} must be a finite number, got ${show(score)}.`);
  });
  if (retrievalScores.length === count) return;
  throw new RerankError(
    "INPUT_INVALID",
    `The retrievalScores must be one for each document: got ${retrievalScores.length} for ${count} documents.`,
  );
}

/** @throws RerankError `INPUT_INVALID` unless the query is a string. The empty string is scored like any other. */
export function checkQuery(query: unknown): asserts query is string {
  if (typeof query === "string") return;
  throw new RerankError("INPUT_INVALID", `The query must be a string, got ${show(query)}.`);
}

/** @throws RerankError `INPUT_INVALID` unless the passages are an array of strings. */
export function checkPassages(passages: unknown): asserts passages is readonly string[] {
  checkEach("passages", passages, (passage, index) => {
    if (typeof passage === "string") return;
    throw new RerankError("INPUT_INVALID", `Passage ${index} must be a string, got ${show(passage)}.`);
  });
}

/**
 * The texts of documents.
 *
 * @throws RerankError `INPUT_INVALID` unless each is a string or an object with a string in `text`.
 */
export function documentTexts(documents: readonly RerankDocument[]): string[] {
  const texts: string[] = [];
  checkEach("documents", documents, (document, index) => {
    const text = typeof document === "object" && document !== null && "text" in document ? document.text : document;
    if (typeof text === "string") return void texts.push(text);
    throw new RerankError(
      "INPUT_INVALID",
      `Document ${index} must be a string or an object with a string in "text", got ${show(document)}.`,
    );
  });
  return texts;
}

/** Whether the argument of `computeScore` is one pair rather than a list of pairs. */
export function isOnePair(
  pairs: readonly [string, string] | readonly (readonly [string, string])[],
): pairs is readonly [string, string] {
  return Array.isArray(pairs) && pairs.length > 0 && !Array.isArray(pairs[0]);
}

/** @throws RerankError `INPUT_INVALID` unless the argument is an array of `[query, passage]` string pairs. */
export function checkPairs(pairs: unknown): asserts pairs is readonly (readonly [string, string])[] {
  checkEach("pairs", pairs, (pair, index) => {
    if (Array.isArray(pair) && pair.length === 2 && typeof pair[0] === "string" && typeof pair[1] === "string") return;
    throw new RerankError("INPUT_INVALID", `Pair ${index} must be [query, passage], two strings, got ${show(pair)}.`);
  });
}

/** Visits the holes of sparse arrays too, as undefined. */
function checkEach(what: string, values: unknown, check: (value: unknown, index: number) => void): void {
  if (!Array.isArray(values)) {
    throw new RerankError("INPUT_INVALID", `The ${what} must be an array, got ${show(values)}.`);
  }
  for (let index = 0; index < values.length; index++) check(values[index], index);
}
