import type { ScoreRequest } from "../request.js";

/** Characters that are read before the event loop gets its turn. */
const SLICE = 1 << 18;
/** What a text costs besides its characters, in characters. */
const TEXT_OVERHEAD = 16;

/** Makes a request of pairs: equal queries become one. Finding them takes time, in which the event loop stays free. */
export async function groupQueries(pairs: readonly (readonly [string, string])[]): Promise<ScoreRequest> {
  const indexOf = new Map<string, number>();
  const queryOf: number[] = [];
  let read = 0;
  for (const [query] of pairs) {
    const index = indexOf.get(query) ?? indexOf.size;
    indexOf.set(query, index);
    queryOf.push(index);
    read += query.length + TEXT_OVERHEAD;
    if (read < SLICE) continue;
    read = 0;
    await new Promise((resume) => setImmediate(resume));
  }
  return { queries: [...indexOf.keys()], passages: pairs.map(([, passage]) => passage), queryOf };
}
