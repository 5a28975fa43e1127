/** What to score: distinct queries, passages, and for each passage the index of its query (all the first by default). */
export interface Job {
  queries: string[];
  passages: readonly string[];
  queryOf?: number[];
}
