import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { RerankError, show } from "../../errors.js";
import { bm25 } from "../first-stage/bm25.js";
import { Corpus, idOf } from "./corpus.js";
import type { Candidates, EvaluationData, JudgedQuery, Judgments } from "./data.js";
import { badLine, parseObject, readLines } from "./lines.js";
import type { DataOptions } from "./options.js";
import { readJudgments, readRun } from "./trec-files.js";

/**
 * A folder with a collection, queries and judgments: BEIR's (`corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`) or
 * FlagEmbedding's (`corpus.jsonl`, `SPLIT_queries.jsonl`, `SPLIT_qrels.jsonl`).
 */
export async function openFolder(folder: string, options: DataOptions): Promise<EvaluationData> {
  const { depth = 100, onRead } = options;
  const { corpusFile, queriesFile, qrelsFile } = filesOf(folder, options);
  const judgments = await readJudgments(qrelsFile);
  const texts = await readQueries(queriesFile, judgments);
  const corpus = new Corpus(corpusFile);
  const reading = (what: string) => (done: number, total: number) => onRead?.(what, done, total);
  const { name, candidatesOf } = options.run
    ? await fromRun(options.run, depth, judgments)
    : await fromBm25(corpus, texts, depth, options);
  const queries = [...texts].map(
    ([id, text]): JudgedQuery => ({ id, text, judgments: judgments.get(id)!, candidates: candidatesOf(id) }),
  );
  await corpus.locate(new Set(queries.flatMap(({ candidates }) => candidates.ids)), reading("Finding passages"));
  return {
    name: folder,
    protocol: "trec",
    firstStage: name,
    queries,
    texts: ({ candidates }) => corpus.texts(candidates.ids),
    close: () => corpus.close(),
  };
}

interface FirstStage {
  name: string;
  candidatesOf(query: string): Candidates;
}

async function fromRun(file: string, depth: number, judged: Judgments): Promise<FirstStage> {
  const { name, run } = await readRun(file, depth, judged);
  return { name, candidatesOf: (query) => run.get(query) ?? { ids: [], scores: [] } };
}

async function fromBm25(
  corpus: Corpus,
  texts: ReadonlyMap<string, string>,
  depth: number,
  { k1, b, onRead }: DataOptions,
): Promise<FirstStage> {
  const passes = ["Counting words", "Searching with BM25"][Symbol.iterator]();
  const passages = () => {
    const what = passes.next().value ?? "";
    return corpus.passages((done, total) => onRead?.(what, done, total));
  };
  const found = await bm25([...texts.values()], passages, depth, { k1, b });
  const byQuery = new Map([...texts.keys()].map((id, index) => [id, found[index]!]));
  return { name: "BM25", candidatesOf: (query) => byQuery.get(query)! };
}

/** The texts of all judged queries. */
async function readQueries(file: string, judgments: Judgments): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for await (const line of readLines(file)) {
    const object = parseObject(file, line);
    const id = idOf(file, line, object);
    if (!judgments.has(id)) continue;
    if (typeof object.text !== "string") {
      throw badLine(file, line, `expected a string in "text", got ${show(object.text)}`);
    }
    if (texts.has(id)) throw badLine(file, line, `the id ${show(id)} stands here for the second time`);
    texts.set(id, object.text);
  }
  for (const id of judgments.keys()) {
    if (!texts.has(id)) throw new RerankError("INPUT_INVALID", `${file} has no query ${show(id)}, which is judged.`);
  }
  return texts;
}

function filesOf(folder: string, { qrels, split }: DataOptions) {
  const corpusFile = join(folder, "corpus.jsonl");
  if (!existsSync(corpusFile)) {
    throw new RerankError(
      "INPUT_INVALID",
      `${folder} has no corpus.jsonl. Expected BEIR's layout (corpus.jsonl, queries.jsonl, qrels/test.tsv) or ` +
        "FlagEmbedding's (corpus.jsonl, test_queries.jsonl, test_qrels.jsonl).",
    );
  }
  const beir = join(folder, "queries.jsonl");
  if (existsSync(beir)) {
    const chosen = qrels ?? choose(join(folder, "qrels"), ".tsv", split);
    return { corpusFile, queriesFile: beir, qrelsFile: chosen };
  }
  const queriesFile = choose(folder, "_queries.jsonl", split);
  return { corpusFile, queriesFile, qrelsFile: qrels ?? queriesFile.replace(/_queries\.jsonl$/, "_qrels.jsonl") };
}

/** The file of a split: the one that is asked for, else `test`, else the only one. */
function choose(folder: string, ending: string, split: string | undefined): string {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(ending)) : [];
  const splits = names.map((name) => name.slice(0, -ending.length));
  const wanted = split ?? (splits.includes("test") || splits.length !== 1 ? "test" : splits[0]!);
  if (splits.includes(wanted)) return join(folder, wanted + ending);
  const there = splits.length === 0 ? `no file *${ending}` : `only the splits ${splits.join(", ")}`;
  throw new RerankError("INPUT_INVALID", `${folder} has no ${wanted}${ending}; there is ${there}.`);
}
