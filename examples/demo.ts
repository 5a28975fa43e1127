// The main job in one go: questions to a manual, in English, in Chinese and across, answered by BM25 and by the reranker.
import { loadReranker } from "bge-reranker";
import { passages, type Question, questions } from "./demo-data.js";
import { Bm25 } from "./support/bm25.js";
import { columns, fit, style, wrap } from "./support/layout.js";

/** Every seventh question is shown with what came first; the summary counts all of them. */
const SHOWN = 7;
/** Passages that a chatbot would read. */
const TOP = 3;

const started = performance.now();
const bm25 = new Bm25(passages);
const reranker = await loadReranker("mini");
const loaded = performance.now();

const note = (text: string) => console.log(style("dim", wrap(text, columns).join("\n")));
console.log(style("bold", `${questions.length} questions to a manual of ${passages.length} sections`));
note(
  "BM25 orders the sections by the words that they share with the question. The cross-encoder reads the question together with each section; its logits and BM25's scores are blended. ✓ and ✗: whether a section answers, marked before anything was ranked.",
);

const outcomes: { question: Question; before: number; after: number }[] = [];
for (const [number, question] of questions.entries()) {
  const retrievalScores = bm25Scores(question.query);
  const before = [...passages.keys()].sort((a, b) => retrievalScores[b]! - retrievalScores[a]!);
  const ranked = await reranker.rank(question.query, passages, { retrievalScores });
  const after = ranked.map(({ index }) => index);
  outcomes.push({ question, before: placeOfAnswer(before, question), after: placeOfAnswer(after, question) });
  if (number % SHOWN === 0) printQuestion(question, before, after);
}
const finished = performance.now();
await reranker.dispose();

printSummary();
const { device, dtype } = reranker.info!;
note(
  `${passages.length * questions.length} pairs in ${((finished - loaded) / 1000).toFixed(1)} s on this machine's ${device} (${dtype}), after ${Math.round(loaded - started)} ms for loading, without any connection. The model is "mini", the few megabytes inside the package; it is small and makes mistakes. For real work name "BAAI/bge-reranker-base" or a larger one.`,
);

/** BM25's score of every passage; 0 where no word is shared. */
function bm25Scores(query: string): number[] {
  const scores = passages.map(() => 0);
  for (const { index, score } of bm25.search(query, passages.length)) scores[index] = score;
  return scores;
}

/** Place of the first passage that answers, from 1. */
function placeOfAnswer(order: readonly number[], { relevant }: Question): number {
  return order.findIndex((index) => relevant.has(index)) + 1;
}

function printQuestion(question: Question, before: readonly number[], after: readonly number[]): void {
  console.log(`\n${style("bold", question.query)}  ${style("dim", question.languages)}`);
  const room = columns - 25;
  for (const [name, order] of [
    ["BM25", before],
    ["reranked", after],
  ] as const) {
    const [first] = order;
    const right = question.relevant.has(first!);
    const mark = right ? style("green", "✓") : style("red", "✗");
    const place = right ? "" : style("dim", `answer is ${ordinal(placeOfAnswer(order, question))}`);
    console.log(
      `  ${name.padEnd(8)}  ${mark}  ${fit(passages[first!]!, right ? columns - 16 : room - 8)}  ${place}`.trimEnd(),
    );
  }
}

function ordinal(place: number): string {
  const endings: Record<string, string> = { one: "st", two: "nd", few: "rd", other: "th" };
  return `${place}${endings[new Intl.PluralRules("en", { type: "ordinal" }).select(place)]}`;
}

function printSummary(): void {
  const groups = {
    en: "English",
    zh: "Chinese",
    "en-zh": "English, answered in Chinese",
    "zh-en": "Chinese, answered in English",
  };
  const count = (of: typeof outcomes, stage: "before" | "after", places: number) =>
    `${of.filter((outcome) => outcome[stage] <= places).length}`.padStart(4);
  const row = (name: string, of: typeof outcomes) =>
    `  ${name.padEnd(30)}${`${of.length}`.padStart(9)}    ${count(of, "before", 1)} ► ${style("bold", count(of, "after", 1).trim().padEnd(6))}${count(of, "before", TOP)} ► ${style("bold", count(of, "after", TOP).trim())}`;
  console.log(`\n${style("bold", "Where an answer stands, BM25 ► reranked")}`);
  console.log(style("dim", `  ${"questions in".padEnd(30)}${"questions".padStart(9)}    first       first ${TOP}`));
  for (const [key, name] of Object.entries(groups)) {
    console.log(
      row(
        name,
        outcomes.filter(({ question }) => question.languages === key),
      ),
    );
  }
  console.log(`${row("all", outcomes)}\n`);
}
