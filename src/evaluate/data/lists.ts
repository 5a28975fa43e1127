import { readFile } from "node:fs/promises";
import { RerankError, show } from "../../errors.js";
import type { EvaluationData, JudgedQuery } from "./data.js";
import { badLine, type Place, PlacedFile, parseObject, readLines } from "./lines.js";

/*
 * Lists that bring each query's passages along, a JSON object a line (or one JSON array): C-MTEB's reranking tasks
 * `{ query, positive: [], negative: [] }`, and `{ query, passages: [], relevant: [] }`, where `relevant` names passages by
 * number (from 0) or by their text, and the passages stand in the order in which they were found, best first, or have
 * `scores`.
 */

interface Sample {
  query: string;
  passages: string[];
  grades: number[];
  scores: number[] | undefined;
  kind: "trec" | "c-mteb";
}

export async function openList(file: string): Promise<EvaluationData> {
  const source = (await startsWithBracket(file)) ? await wholeFile(file) : lineByLine(file);
  const queries: JudgedQuery[] = [];
  const items: number[] = [];
  let kind: Sample["kind"] | undefined;
  for await (const [object, fail] of source.objects()) {
    const sample = toSample(object, fail);
    kind ??= sample.kind;
    if (sample.kind !== kind) throw fail("this file mixes two kinds of lists");
    items.push(items.length);
    // BAAI's evaluator drops these.
    if (kind === "c-mteb" && new Set(sample.grades).size < 2) continue;
    const ids = sample.passages.map((_, index) => String(index));
    queries.push({
      id: String(items.length),
      text: sample.query,
      judgments: new Map(ids.map((id, index) => [id, sample.grades[index]!])),
      candidates: { ids, scores: sample.scores ?? ids.map((_, index) => -index) },
    });
  }
  if (queries.length === 0) throw new RerankError("INPUT_INVALID", `${file} holds no queries with passages.`);
  return {
    name: file,
    protocol: kind!,
    firstStage: kind === "trec" ? "given order" : undefined,
    queries,
    texts: async ({ id }) => toSample(await source.read(Number(id) - 1), (why) => new Error(why)).passages,
    close: source.close,
  };
}

type Fail = (reason: string) => Error;

/** Where samples come from, and come from again when their texts are needed. */
interface Source {
  objects(): AsyncIterable<[Record<string, unknown>, Fail]>;
  read(index: number): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

function lineByLine(file: string): Source {
  const places: Place[] = [];
  const placed = new PlacedFile(file);
  return {
    async *objects() {
      for await (const line of readLines(file)) {
        places.push(line.place);
        yield [parseObject(file, line), (reason) => badLine(file, line, reason)];
      }
    },
    read: async (index) => JSON.parse(await placed.read(places[index]!)),
    close: () => placed.close(),
  };
}

async function wholeFile(file: string): Promise<Source> {
  let list: Record<string, unknown>[];
  try {
    list = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new RerankError("INPUT_INVALID", `${file} is not JSON: ${(cause as Error).message}.`, { cause });
  }
  return {
    async *objects() {
      for (const [index, object] of list.entries()) {
        const fail: Fail = (reason) => badLine(file, { number: index + 1 }, reason, undefined, "item");
        if (typeof object !== "object" || object === null) throw fail(`expected an object, got ${show(object)}`);
        yield [object, fail];
      }
    },
    read: async (index) => list[index]!,
    close: async () => {},
  };
}

async function startsWithBracket(file: string): Promise<boolean> {
  for await (const { text } of readLines(file)) return text.trimStart().startsWith("[");
  return false;
}

function toSample(object: Record<string, unknown>, fail: Fail): Sample {
  const { query, positive, negative, passages, relevant, scores } = object;
  if (typeof query !== "string") throw fail(`expected a string in "query", got ${show(query)}`);
  if (positive !== undefined || negative !== undefined) {
    const [good, bad] = [strings("positive", positive, fail), strings("negative", negative, fail)];
    const grades = [...good.map(() => 1), ...bad.map(() => 0)];
    return { query, passages: [...good, ...bad], grades, scores: undefined, kind: "c-mteb" };
  }
  const texts = strings("passages", passages, fail);
  const grades = texts.map(() => 0);
  if (!Array.isArray(relevant)) throw fail(`expected a list in "relevant", got ${show(relevant)}`);
  for (const item of relevant) {
    const places = typeof item === "string" ? texts.flatMap((text, index) => (text === item ? [index] : [])) : [item];
    if (places.length === 0 || places.some((place) => !(place in texts) || !Number.isInteger(place))) {
      throw fail(`"relevant" must name passages by number (0 to ${texts.length - 1}) or by text, got ${show(item)}`);
    }
    for (const place of places) grades[place] = 1;
  }
  if (scores === undefined) return { query, passages: texts, grades, scores, kind: "trec" };
  if (!Array.isArray(scores) || scores.length !== texts.length || !scores.every(Number.isFinite)) {
    throw fail(`"scores" must be ${texts.length} finite numbers, one for each passage, got ${show(scores)}`);
  }
  return { query, passages: texts, grades, scores, kind: "trec" };
}

function strings(name: string, value: unknown, fail: Fail): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw fail(`expected a list of strings in "${name}", got ${show(value)}`);
}
