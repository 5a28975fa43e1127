import type { EvaluationData, JudgedQuery } from "../data/data.js";

/** A query with the first passages before and after reranking. */
export interface QueryExample {
  id: string;
  query: string;
  /** The first measure, before and after. */
  before: number;
  after: number;
  first: { before: ExamplePassage[]; after: ExamplePassage[] };
}

export interface ExamplePassage {
  id: string;
  /** Its beginning. */
  text: string;
  /** As judged; `undefined` when nobody did. */
  grade: number | undefined;
  /** Place before and after, from 1. */
  before: number;
  after: number;
}

const QUERIES = 5;
const PASSAGES = 5;
const CHARACTERS = 280;

/**
 * The queries whose first measure rose most, and those where it fell most.
 * @param values one for each query, before and after
 */
export async function examples(
  data: EvaluationData,
  logits: readonly (readonly number[])[],
  before: readonly number[],
  after: readonly number[],
): Promise<{ helped: QueryExample[]; hurt: QueryExample[] }> {
  const gains = data.queries.map((_, index) => ({ index, gain: after[index]! - before[index]! }));
  const most = (sign: 1 | -1) => {
    const moved = gains
      .filter(({ gain }) => sign * gain > 0)
      .sort((a, b) => sign * (b.gain - a.gain) || a.index - b.index);
    return Promise.all(
      moved.slice(0, QUERIES).map(async ({ index }): Promise<QueryExample> => {
        const query = data.queries[index]!;
        const first = firstPassages(query, logits[index]!, await data.texts(query));
        return { id: query.id, query: query.text, before: before[index]!, after: after[index]!, first };
      }),
    );
  };
  return { helped: await most(1), hurt: await most(-1) };
}

function firstPassages({ judgments, candidates }: JudgedQuery, logits: readonly number[], texts: readonly string[]) {
  const ordered = (scores: readonly number[]) => scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  const orders = { before: ordered(candidates.scores), after: ordered(logits) };
  const passage = (index: number): ExamplePassage => ({
    id: candidates.ids[index]!,
    text: beginning(texts[index]!),
    grade: judgments.get(candidates.ids[index]!),
    before: orders.before.indexOf(index) + 1,
    after: orders.after.indexOf(index) + 1,
  });
  return {
    before: orders.before.slice(0, PASSAGES).map(passage),
    after: orders.after.slice(0, PASSAGES).map(passage),
  };
}

function beginning(text: string): string {
  const characters = Array.from(text.slice(0, 2 * CHARACTERS).replace(/\s+/g, " "));
  return characters.length <= CHARACTERS ? characters.join("") : `${characters.slice(0, CHARACTERS - 1).join("")}…`;
}
