// What `eval` promises, measured (../README.md, "Does it help on your data?").
//
//   node bench/evaluate.mjs corpus FOLDER [--passages 1000000] [--queries 200]   makes a synthetic collection in BEIR's layout
//   node bench/evaluate.mjs memory FOLDER [--model mini]                         evaluates on it; prints peak memory and times
//   node bench/evaluate.mjs halves FOLDER [--model mini] [--checkpoint FILE]     learns on half of the queries, tries on the others
import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { parseArgs } from "node:util";
import { blended, sweepBlend } from "../dist/src/evaluate/analysis/blend-sweep.js";
import { fitPlatt, reliability } from "../dist/src/evaluate/analysis/calibration.js";
import { evaluate, openData } from "../dist/src/evaluate/index.js";
import { measures } from "../dist/src/evaluate/metrics/measures.js";
import { Checkpoint } from "../dist/src/evaluate/run/checkpoint.js";
import { scoreAll } from "../dist/src/evaluate/run/score.js";
import { Random } from "../dist/src/evaluate/statistics/random.js";
import { loadReranker } from "../dist/src/index.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    passages: { type: "string", default: "1000000" },
    queries: { type: "string", default: "200" },
    model: { type: "string", default: "mini" },
    checkpoint: { type: "string" },
    depth: { type: "string", default: "100" },
  },
});
const [what, folder] = positionals;
const work = { corpus, memory, halves }[what];
if (!work || !folder) throw new Error("Usage: node bench/evaluate.mjs corpus|memory|halves FOLDER");
await work();

/** Words as often as Zipf's law has it, of a vocabulary of 200,000, in passages of 20 to 100 words. */
async function corpus() {
  const random = new Random(1);
  const word = () => `w${Math.floor(200_000 ** random.next())}`;
  const text = (words) => Array.from({ length: words }, word).join(" ");
  mkdirSync(join(folder, "qrels"), { recursive: true });
  const file = createWriteStream(join(folder, "corpus.jsonl"));
  for (let i = 0; i < Number(values.passages); i++) {
    const line = `${JSON.stringify({ _id: `d${i}`, title: "", text: text(20 + random.below(81)) })}\n`;
    if (!file.write(line)) await new Promise((resolve) => file.once("drain", resolve));
  }
  file.end();
  await finished(file);
  const queries = Array.from({ length: Number(values.queries) }, (_, q) => ({ _id: `q${q}`, text: text(8) }));
  const lines = (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  writeFileSync(join(folder, "queries.jsonl"), lines(queries));
  const judged = queries.map(({ _id }) => `${_id}\td${random.below(Number(values.passages))}\t1\n`);
  writeFileSync(join(folder, "qrels", "test.tsv"), `query-id\tcorpus-id\tscore\n${judged.join("")}`);
}

async function memory() {
  const start = performance.now();
  const data = await openData(folder, { depth: Number(values.depth) });
  const found = performance.now();
  const at = () => `${Math.round(process.resourceUsage().maxRSS / 1024)} MB`;
  console.log(`BM25: ${((found - start) / 1000).toFixed(1)} s, peak ${at()}`);
  await evaluate(data, [{ name: values.model, open: () => loadReranker(values.model, { device: "cpu" }) }]);
  console.log(`evaluated: ${((performance.now() - found) / 1000).toFixed(1)} s, peak ${at()}`);
  await data.close();
}

/** Odd queries teach a blending weight and a calibration, even ones show what they are worth, and the other way round. */
async function halves() {
  const data = await openData(folder, { depth: Number(values.depth) });
  const setting = { name: values.model, open: () => loadReranker(values.model, { device: "cpu" }) };
  const checkpoint = values.checkpoint ? await Checkpoint.open(values.checkpoint, data) : Checkpoint.none();
  const [{ queries: scored }] = await scoreAll(data, [setting], { checkpoint });
  const metric = measures(["ndcg@10"]);
  const parts = [0, 1].map((half) => data.queries.map((_, i) => i).filter((i) => i % 2 === half));
  for (const [train, test] of [parts, [...parts].reverse()]) {
    const of = (some) => ({ queries: some.map((i) => data.queries[i]), logits: some.map((i) => scored[i].scores) });
    const [learn, held] = [of(train), of(test)];
    const { best, recommended } = sweepBlend(learn.queries, learn.logits, metric, 1).sweep;
    const mean = (weight) =>
      held.queries.reduce((sum, query, i) => sum + blended(query, held.logits[i], weight, metric)[0], 0) / test.length;
    const rounded = (value) => value.toFixed(4);
    console.log(`blend ${best} (recommended: ${recommended ?? "none"}) on the other ${test.length} queries:`);
    console.log(`  ndcg@10 ${rounded(mean(best))}, model ${rounded(mean(0))}, first stage ${rounded(mean(1))}`);
    const labelled = ({ queries, logits }) => ({
      logits: logits.flat(),
      relevant: queries.flatMap(({ candidates, judgments }) =>
        candidates.ids.map((id) => (judgments.get(id) ?? 0) >= 1),
      ),
    });
    const { scale, offset } = fitPlatt(labelled(learn));
    const { logits, relevant } = labelled(held);
    const error = (score) => rounded(reliability(logits.map(score), relevant).error);
    const sigmoid = (x) => 1 / (1 + Math.exp(-x));
    console.log(`  calibration error ${error(sigmoid)}, calibrated ${error((x) => sigmoid(scale * x + offset))}`);
  }
  await data.close();
}
