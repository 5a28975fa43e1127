// The main job in one go: passages of a manual, reranked for questions in English, in Chinese and across.
import { loadReranker, type RankedDocument } from "bge-reranker";
import { passages, type Question, questions } from "./demo-data.js";
import { Bm25 } from "./support/bm25.js";
import { bar, columns, fit, style, wrap } from "./support/layout.js";

/** Passages shown for each question. */
const SHOWN = 5;
/** Columns before a passage. */
const MARGIN = 38;

const started = performance.now();
const bm25 = new Bm25(passages);
const reranker = await loadReranker("mini");
const loaded = performance.now();

const note = (text: string) => console.log(style("dim", wrap(text, columns).join("\n")));

console.log(style("bold", `${passages.length} passages of a manual, ${questions.length} questions`));
note(
  "First BM25 orders the passages by the words that they share with the question. Then the cross-encoder reads the question together with each passage and orders all of them anew. ✓ marks the passages that answer the question; they were marked before anything was scored. The bar shows where a passage stands between the question's worst and best.",
);

const outcomes: { question: Question; was: number | undefined; now: number | undefined }[] = [];
for (const question of questions) {
  const before = firstStage(question.text);
  const ranked = await reranker.rank(question.text, passages);
  printRanking(question, ranked, before);
  const now = placeOfAnswer(
    ranked.map(({ index }) => index),
    question,
  );
  outcomes.push({ question, was: placeOfAnswer([...before.keys()], question), now });
}
const finished = performance.now();
await reranker.dispose();

printOutcomes();
const { device, dtype } = reranker.info!;
const work = `${passages.length * questions.length} pairs in ${Math.round(finished - loaded)} ms`;
note(
  `Scored ${work} on this machine's ${device} (${dtype}), after ${Math.round(loaded - started)} ms for loading, without any connection. The model was "mini", which ships in the package for demonstrations and tests. It is small and makes mistakes, above all across languages; for real work name "BAAI/bge-reranker-base" or a larger one.`,
);

/** Place of each passage in the first stage, from 1, in its order; those that share no word with the question have none. */
function firstStage(question: string): Map<number, number> {
  return new Map(bm25.search(question, passages.length).map(({ index }, place) => [index, place + 1]));
}

function isAnswer(index: number, { answers }: Question): boolean {
  return answers.some((beginning) => passages[index]!.startsWith(beginning));
}

/** Place of the best answer in an order of passages, from 1. */
function placeOfAnswer(order: readonly number[], question: Question): number | undefined {
  const place = order.findIndex((index) => isAnswer(index, question));
  return place < 0 ? undefined : place + 1;
}

function printRanking(question: Question, ranked: readonly RankedDocument<string>[], before: Map<number, number>) {
  console.log(`\n${style("bold", question.text)}  ${style("dim", question.languages)}`);
  const [best, worst] = [logit(ranked[0]!.score), logit(ranked.at(-1)!.score)];
  for (const [place, { index, score, document }] of ranked.slice(0, SHOWN).entries()) {
    const number = style("bold", `${place + 1}`.padStart(3));
    const mark = isAnswer(index, question) ? style("green", "✓") : " ";
    const room = columns - MARGIN;
    // The best one in full.
    const [line = "", ...more] = place === 0 ? wrap(document, room) : [fit(document, room)];
    const shown = `${score.toFixed(3)}  ${style("cyan", bar((logit(score) - worst) / (best - worst), 10))}`;
    console.log(`${number}  ${movement(before.get(index), place + 1)}  ${shown}  ${mark} ${line}`);
    for (const rest of more) console.log(" ".repeat(MARGIN) + rest);
  }
}

/** The model's raw output, of which a score is the sigmoid. */
function logit(score: number): number {
  return Math.log(score / (1 - score));
}

function movement(was: number | undefined, now: number): string {
  const from = style("dim", (was === undefined ? "unranked" : `was ${was}`).padEnd(8));
  if (was === now) return `  ${from}`;
  return `${was === undefined || was > now ? style("green", "▲") : style("red", "▼")} ${from}`;
}

function printOutcomes(): void {
  const within = (stage: "was" | "now", places: number) =>
    `${outcomes.filter((outcome) => (outcome[stage] ?? places + 1) <= places).length} of ${outcomes.length}`;
  const row = (bm25: string, reranked: string, text: string) =>
    console.log(`  ${bm25.padEnd(8)}  ${reranked.padEnd(8)}  ${fit(text, columns - 22)}`);
  console.log(`\n${style("bold", "Place of the best answer")}`);
  row("BM25", "reranked", "question");
  for (const { question, was, now } of outcomes) row(`${was ?? "unranked"}`, `${now}`, question.text);
  row(within("was", 1), within("now", 1), "in the first place");
  row(within("was", 3), within("now", 3), "in the first three, which a chatbot would read");
  console.log();
}
