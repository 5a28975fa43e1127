// What int8 costs in ranking: node bench/agreement.mjs [--queries 300] BEIR_FOLDER...
//   NDCG@10 of BM25's first 20, ranked by fp32 and by int8, for the embedded model and for the same with outlier
//   channels (outliers.py, needs Debian's python3-torch). A folder holds corpus.jsonl, queries.jsonl and qrels/test.tsv.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { Bm25 } from "../dist/examples/support/bm25.js";
import { loadReranker } from "../dist/src/index.js";
import { fromHere, python, workFolder } from "./setup.mjs";

const CANDIDATES = 20;
const CUT = 10;

const { values, positionals } = parseArgs({
  options: { queries: { type: "string", default: "300" } },
  allowPositionals: true,
});
if (positionals.length === 0) throw new Error("Give one or more folders in BEIR's layout.");

const outliers = join(workFolder, "mini-outliers");
execFileSync(python, [fromHere("outliers.py"), fromHere("..", "models", "mini"), outliers], {
  stdio: "inherit",
});
const sets = positionals.map(openSet);

console.log("| model | data | queries | NDCG@10, fp32 | int8 | difference | largest difference of a logit |");
console.log("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
for (const [name, model] of [
  ["mini", "mini"],
  ["mini with outlier channels", outliers],
]) {
  const fp32 = await loadReranker(model, { device: "cpu", dtype: "fp32" });
  const int8 = await loadReranker(model, { device: "cpu", dtype: "int8" });
  for (const { title, queries } of sets) {
    const sum = { fp32: 0, int8: 0 };
    let furthest = 0;
    for (const { query, passages, gains, ideal } of queries) {
      const [exact, rounded] = [await fp32.score(query, passages), await int8.score(query, passages)];
      sum.fp32 += ndcg(exact, gains, ideal);
      sum.int8 += ndcg(rounded, gains, ideal);
      furthest = Math.max(furthest, ...exact.map((logit, i) => Math.abs(logit - rounded[i])));
    }
    const [a, b] = [sum.fp32 / queries.length, sum.int8 / queries.length];
    const figures = [a.toFixed(4), b.toFixed(4), (b - a).toFixed(4), furthest.toFixed(2)];
    console.log(`| ${name} | ${title} | ${queries.length} | ${figures.join(" | ")} |`);
  }
  await fp32.dispose();
  await int8.dispose();
}

/** Queries spread over the whole set, each with BM25's first passages; those with nothing relevant among them are left out. */
function openSet(folder) {
  const lines = (name) => readFileSync(join(folder, name), "utf8").split("\n").filter(Boolean);
  const corpus = lines("corpus.jsonl").map((line) => JSON.parse(line));
  const texts = corpus.map(({ title, text }) => (title ? `${title} ${text}` : text));
  const relevant = new Map();
  for (const line of lines("qrels/test.tsv").slice(1)) {
    const [query, document, score] = line.split("\t");
    if (!relevant.has(query)) relevant.set(query, new Map());
    relevant.get(query).set(document, Number(score));
  }
  const judged = lines("queries.jsonl")
    .map((line) => JSON.parse(line))
    .filter(({ _id }) => relevant.has(_id));
  const step = Math.max(1, judged.length / Number(values.queries));
  const chosen = Array.from({ length: Math.floor(judged.length / step) }, (_, i) => judged[Math.floor(i * step)]);
  const bm25 = new Bm25(texts);
  const queries = chosen.map(({ _id, text }) => {
    const found = bm25.search(text, CANDIDATES).map(({ index }) => index);
    const gains = found.map((index) => relevant.get(_id).get(corpus[index]._id) ?? 0);
    const ideal = dcg([...relevant.get(_id).values()].toSorted((a, b) => b - a));
    return { query: text, passages: found.map((index) => texts[index]), gains, ideal };
  });
  return { title: basename(folder), queries: queries.filter(({ gains }) => gains.some((gain) => gain > 0)) };
}

function ndcg(scores, gains, ideal) {
  const order = [...scores.keys()].toSorted((a, b) => scores[b] - scores[a] || a - b);
  return dcg(order.map((i) => gains[i])) / ideal;
}

function dcg(gains) {
  return gains.slice(0, CUT).reduce((sum, gain, rank) => sum + gain / Math.log2(rank + 2), 0);
}
