import type { LocalRequest, Span } from "../request.js";
import type { EncodedPair, PairTokenizer } from "../tokenizer/tokenizer.js";
import { splitPassage, type Window } from "./sliding-windows.js";

/** A passage as the model reads it. */
export interface TokenizedPassage {
  /** Its pair with the query, or those of its windows. */
  pairs: { pair: EncodedPair; span?: Span }[];
  /** Whether its end is left out. */
  truncated: boolean;
}

export type TokenizePassage = (request: LocalRequest, index: number) => TokenizedPassage;

/** Lays out passages with their queries; a query is tokenized once for all of its request's passages. */
export function passageTokenizer(tokenizer: PairTokenizer): TokenizePassage {
  const queries = new WeakMap<LocalRequest, Map<number, ArrayLike<number>>>();
  const queryIds = (request: LocalRequest, query: number): ArrayLike<number> => {
    const known = queries.get(request) ?? new Map<number, ArrayLike<number>>();
    queries.set(request, known);
    const ids = known.get(query) ?? tokenizer.encode(request.queries[query]!, request.maxLength);
    known.set(query, ids);
    return ids;
  };
  return (request, index) => {
    const { passages, queryOf, maxLength, queryMaxLength, overflow } = request;
    const query = queryIds(request, queryOf?.[index] ?? 0);
    const text = passages[index]!;
    const room = tokenizer.passageRoom(query.length, maxLength, queryMaxLength);
    if (overflow === "truncate") {
      const ids = tokenizer.encode(text, maxLength);
      return { pairs: [{ pair: tokenizer.pair(query, ids, maxLength, queryMaxLength) }], truncated: ids.length > room };
    }
    const windows = splitPassage(text, tokenizer.encode(text), Math.max(1, room), (part) => tokenizer.encode(part));
    const pairs = withoutRepeats(windows).map(({ ids, span }) => ({
      pair: tokenizer.pair(query, ids, maxLength, queryMaxLength),
      span,
    }));
    return { pairs, truncated: false };
  };
}

/**
 * The first of the windows that the model reads as the same: in different batches the last bits of their scores may
 * differ, and chance would decide which of them is the best.
 */
function withoutRepeats(windows: Window[]): Window[] {
  if (windows.length === 1) return windows;
  const seen = new Set<string>();
  return windows.filter(({ ids }) => {
    const key = Array.prototype.join.call(ids);
    return !seen.has(key) && seen.add(key);
  });
}
