import type { EvaluationData, JudgedQuery, Setting } from "../../../src/evaluate/index.js";
import { Random } from "../../../src/evaluate/statistics/random.js";
import type { Reranker, ScoreOptions } from "../../../src/types.js";

/** A reranker that scores as it is told, and counts what it was asked. */
export function fakeReranker(scoreOf: (query: string, passage: string) => number) {
  const asked: string[] = [];
  let disposed = 0;
  const reranker = {
    info: { model: "fake" },
    load: async () => {},
    score: async (query: string, passages: readonly string[], { onStats }: ScoreOptions = {}) => {
      if (query !== "query") asked.push(query);
      onStats?.({
        pairs: passages.length,
        tokens: 10 * passages.length,
        truncated: 1,
        queueMs: 0,
        tokenizeMs: 0,
        inferenceMs: 1,
      });
      return passages.map((passage) => scoreOf(query, passage));
    },
    dispose: async () => {
      disposed++;
    },
  } as unknown as Reranker;
  return { reranker, asked, disposals: () => disposed };
}

export const settingOf = (name: string, scoreOf: (query: string, passage: string) => number): Setting => ({
  name,
  open: () => fakeReranker(scoreOf).reranker,
});

/** Standard normal, roughly: the sum of twelve even ones. */
const bell = (random: Random) => Array.from({ length: 12 }, () => random.next()).reduce((sum, x) => sum + x, -6);

/**
 * Queries with 20 candidates, 3 of them relevant. The first stage and the reranker each see the truth with noise of their
 * own; a passage's text is the logit that `noisy` returns for it.
 */
export function noisyData(count: number, seed = 1): EvaluationData {
  const random = new Random(seed);
  const texts = new Map<string, string[]>();
  const queries = Array.from({ length: count }, (_, q): JudgedQuery => {
    const ids = Array.from({ length: 20 }, (_, i) => `d${i}`);
    const relevant = new Set(random.order(20).slice(0, 3));
    const scores = ids.map((_, i) => (relevant.has(i) ? 1 : 0) + bell(random));
    texts.set(
      `q${q}`,
      ids.map((_, i) => String((relevant.has(i) ? 2 : 0) + bell(random) - 1)),
    );
    const judgments = new Map([...relevant].map((i) => [ids[i]!, 1]));
    return { id: `q${q}`, text: `question ${q}`, judgments, candidates: { ids, scores } };
  });
  const close = async () => {};
  return {
    name: "noisy",
    protocol: "trec",
    firstStage: "BM25",
    queries,
    texts: async ({ id }) => texts.get(id)!,
    close,
  };
}

export const noisy = (_: string, passage: string) => Number(passage);
