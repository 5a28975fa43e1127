import type { Protocol } from "../metrics/measures.js";

/** Questions, what people judged to answer them, and the passages that a first stage found: all that an evaluation needs. */
export interface EvaluationData {
  /** For people: where it comes from. */
  name: string;
  /** Whose rules measure it. */
  protocol: Protocol;
  /** What found and ordered the candidates: `"BM25"`, a run's name, `"given order"`; `undefined` where they have no order. */
  firstStage: string | undefined;
  /** Every judged query. */
  queries: readonly JudgedQuery[];
  /** The texts of a query's candidates, read when they are needed. */
  texts(query: JudgedQuery): Promise<string[]>;
  /** Closes files. */
  close(): Promise<void>;
}

export interface JudgedQuery {
  id: string;
  text: string;
  /** Grades by passage id: 1 and above is relevant. */
  judgments: ReadonlyMap<string, number>;
  candidates: Candidates;
}

/** Passages to rerank, best first by the first stage. */
export interface Candidates {
  ids: readonly string[];
  /** The first stage's scores, one for each id; higher is better. */
  scores: readonly number[];
}

/** Grades by query id and passage id. */
export type Judgments = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** What a first stage found, by query id. */
export type Run = ReadonlyMap<string, Candidates>;
