import type { Candidates } from "../data/data.js";
import { Best } from "./best.js";
import { termsOf } from "./terms.js";

/*
 * BM25 without an index. An evaluation knows all its queries beforehand, so it can read the collection twice instead of
 * keeping it: once to count in how many passages each of the queries' terms occurs, once to score. What stays in memory is
 * the queries' terms and the best passages, however large the collection. The libraries that exist (minisearch,
 * wink-bm25-text-search, okapibm25) hold every posting or every text: gigabytes for a million passages.
 */

export interface Bm25Options {
  /** How soon further occurrences of a term stop counting. From 0. @default 1.2 */
  k1?: number | undefined;
  /** How much long passages are held back, from 0 to 1. @default 0.75 */
  b?: number | undefined;
}

/** A passage of a collection. */
export interface Passage {
  id: string;
  text: string;
}

/**
 * The best `depth` passages that share a term with each query, by Okapi BM25 with Lucene's idf,
 * log(1 + (N - n + 0.5) / (n + 0.5)).
 * @param passages makes the collection afresh; it is read twice
 * @returns for each query, best first
 */
export async function bm25(
  queries: readonly string[],
  passages: () => AsyncIterable<Passage>,
  depth: number,
  { k1 = 1.2, b = 0.75 }: Bm25Options = {},
): Promise<Candidates[]> {
  const terms = new QueryTerms(queries);
  const passageCounts = new Float64Array(terms.size);
  let [count, length] = [0, 0];
  for await (const { text } of passages()) {
    const found = terms.countIn(text);
    for (const term of found.terms) passageCounts[term]!++;
    count++;
    length += found.length;
  }
  const idf = passageCounts.map((n) => Math.log(1 + (count - n + 0.5) / (n + 0.5)));
  const average = length / Math.max(1, count);
  const best = queries.map(() => new Best(depth));
  const scores = new Float64Array(queries.length);
  for await (const { id, text } of passages()) {
    const found = terms.countIn(text);
    const norm = k1 * (1 - b + (b * found.length) / average);
    const touched: number[] = [];
    for (const term of found.terms) {
      const tf = found.counts[term]!;
      const weight = (idf[term]! * tf * (k1 + 1)) / (tf + norm);
      for (const query of terms.queriesOf[term]!) {
        if (scores[query] === 0) touched.push(query);
        scores[query]! += weight;
      }
    }
    for (const query of touched) {
      if (best[query]!.takes(scores[query]!)) best[query]!.add(id, scores[query]!);
      scores[query] = 0;
    }
  }
  return best.map((found) => found.sorted());
}

/** The distinct terms of all queries, by number. */
class QueryTerms {
  readonly #numbers = new Map<string, number>();
  /** Queries that have each term. */
  readonly queriesOf: number[][] = [];
  readonly #counts: Uint32Array;
  #touched: number[] = [];

  constructor(queries: readonly string[]) {
    for (const [query, text] of queries.entries()) {
      for (const term of new Set(termsOf(text))) {
        const number = this.#numbers.get(term) ?? this.#numbers.size;
        this.#numbers.set(term, number);
        this.queriesOf[number] ??= [];
        this.queriesOf[number].push(query);
      }
    }
    this.#counts = new Uint32Array(this.size);
  }

  get size(): number {
    return this.#numbers.size;
  }

  /** How often a passage has each query term, until the next call; `length` counts all its terms. */
  countIn(text: string): { terms: readonly number[]; counts: Uint32Array; length: number } {
    for (const term of this.#touched) this.#counts[term] = 0;
    this.#touched = [];
    const all = termsOf(text);
    for (const term of all) {
      const number = this.#numbers.get(term);
      if (number === undefined) continue;
      if (this.#counts[number] === 0) this.#touched.push(number);
      this.#counts[number]!++;
    }
    return { terms: this.#touched, counts: this.#counts, length: all.length };
  }
}
