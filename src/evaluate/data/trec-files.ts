import { RerankError, show } from "../../errors.js";
import { Best } from "../first-stage/best.js";
import type { Judgments, Run } from "./data.js";
import { badLine, type Line, parseObject, readLines } from "./lines.js";

/**
 * Judgments: TREC's `query 0 passage grade`, BEIR's `query-id<TAB>corpus-id<TAB>score` with a header, or FlagEmbedding's
 * JSON lines `{ qid, docid, relevance }`. Which one, each line says itself.
 * @throws RerankError `INPUT_INVALID`, with file and line
 */
export async function readJudgments(file: string): Promise<Judgments> {
  const judgments = new Map<string, Map<string, number>>();
  for await (const line of readLines(file)) {
    const [query, passage, grade] = judgmentOn(file, line);
    if (query === undefined || passage === undefined) continue;
    const value = Number(grade);
    if (grade === "" || !Number.isSafeInteger(value))
      throw badLine(file, line, `the grade must be an integer, got ${show(grade)}`);
    const given = judgments.get(query) ?? new Map<string, number>();
    if (given.has(passage))
      throw badLine(file, line, `passage ${show(passage)} is judged twice for query ${show(query)}`);
    judgments.set(query, given.set(passage, value));
  }
  if (judgments.size === 0) throw new RerankError("INPUT_INVALID", `${file} holds no judgments.`);
  return judgments;
}

function judgmentOn(file: string, line: Line): (string | undefined)[] {
  if (line.text.startsWith("{")) {
    const { qid, docid, relevance = 1 } = parseObject(file, line);
    if (qid !== undefined && docid !== undefined) return [String(qid), String(docid), String(relevance)];
    throw badLine(file, line, 'expected "qid", "docid" and "relevance"');
  }
  const tabs = line.text.split("\t");
  if (tabs.length === 3)
    return line.number === 1 && Number.isNaN(Number(tabs[2])) ? [] : tabs.map((cell) => cell.trim());
  const [query, , passage, grade, more] = line.text.trim().split(/\s+/);
  if (grade !== undefined && more === undefined) return [query, passage, grade];
  throw badLine(
    file,
    line,
    `expected "query 0 passage grade" or "query<TAB>passage<TAB>grade", got ${show(line.text)}`,
  );
}

/**
 * A run in TREC's format, `query Q0 passage rank score name`: the best `depth` passages of the queries that are wanted.
 * As in trec_eval the scores decide, whatever the rank says.
 * @throws RerankError `INPUT_INVALID`, with file and line
 */
export async function readRun(
  file: string,
  depth: number,
  wanted: { has(query: string): boolean },
): Promise<{ name: string; run: Run }> {
  const best = new Map<string, Best>();
  let name = "run";
  for await (const line of readLines(file)) {
    const cells = line.text.trim().split(/\s+/);
    const [query = "", , passage, , score] = cells;
    if (cells.length < 5 || passage === undefined) {
      throw badLine(file, line, `expected "query Q0 passage rank score name", got ${show(line.text)}`);
    }
    const value = Number(score);
    if (!Number.isFinite(value)) throw badLine(file, line, `the score must be a finite number, got ${show(score)}`);
    if (cells[5] !== undefined) name = cells[5];
    if (!wanted.has(query)) continue;
    const found = best.get(query) ?? new Best(depth);
    best.set(query, found);
    found.add(passage, value);
  }
  if (best.size === 0) throw new RerankError("INPUT_INVALID", `${file} has no results for any judged query.`);
  const run = new Map<string, { ids: string[]; scores: number[] }>();
  for (const [query, found] of best) {
    const { ids, scores } = found.sorted();
    if (new Set(ids).size < ids.length) {
      throw new RerankError("INPUT_INVALID", `${file} lists a passage twice for query ${show(query)}.`);
    }
    run.set(query, { ids, scores });
  }
  return { name, run };
}
