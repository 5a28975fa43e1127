/** Okapi BM25 over a few thousand texts in memory: the fast, literal first stage whose results a reranker sorts. */
export class Bm25 {
  /** For each term, how often it occurs in each text that has it. */
  readonly #postings = new Map<string, Map<number, number>>();
  readonly #lengths: number[] = [];
  readonly #averageLength: number;

  constructor(texts: readonly string[]) {
    for (const [index, text] of texts.entries()) {
      const terms = termsOf(text);
      this.#lengths.push(terms.length);
      for (const term of terms) {
        const posting = this.#postings.get(term) ?? new Map<number, number>();
        this.#postings.set(term, posting.set(index, (posting.get(index) ?? 0) + 1));
      }
    }
    this.#averageLength = this.#lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, texts.length);
  }

  /** The `limit` best texts that share a term with the query, best first. */
  search(query: string, limit: number): { index: number; score: number }[] {
    const [k1, b, count] = [1.2, 0.75, this.#lengths.length];
    const scores = new Map<number, number>();
    for (const term of new Set(termsOf(query))) {
      const posting = this.#postings.get(term) ?? new Map<number, number>();
      const idf = Math.log(1 + (count - posting.size + 0.5) / (posting.size + 0.5));
      for (const [index, frequency] of posting) {
        const norm = k1 * (1 - b + (b * this.#lengths[index]!) / this.#averageLength);
        scores.set(index, (scores.get(index) ?? 0) + (idf * frequency * (k1 + 1)) / (frequency + norm));
      }
    }
    const found = [...scores].map(([index, score]) => ({ index, score }));
    return found.sort((a, b) => b.score - a.score || a.index - b.index).slice(0, limit);
  }
}

/** Lower-case words; Chinese, which has no spaces, in pairs of neighbouring characters. */
export function termsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const runs = words.flatMap((word) => word.split(/(\p{Script=Han}+)/u)).filter(Boolean);
  return runs.flatMap((run) => {
    if (!/\p{Script=Han}/u.test(run) || run.length === 1) return [run];
    return Array.from({ length: run.length - 1 }, (_, i) => run.slice(i, i + 2));
  });
}
