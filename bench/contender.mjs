// One contender in a process of its own: node contender.mjs NAME, with the settings as JSON in BENCH_CONTENDER.
// Prints one line of JSON: times in ms, memory in MB, logits.
import { readFileSync } from "node:fs";
import { contenders } from "./contenders.mjs";
import { median, memory, resetPeak, watchEventLoop, watchSteal } from "./measure.mjs";

const name = process.argv[2];
const { model, files, first, reps, warmup } = JSON.parse(process.env.BENCH_CONTENDER);
const contender = contenders[name]();

const stolen = watchSteal();
const loadStart = performance.now();
const endLoad = watchEventLoop();
await contender.load(model);
const loadMs = performance.now() - loadStart;
const loaded = memory();
await contender.score(first.query, [first.passage], [first.ids]);
const firstScoreMs = performance.now(); // since the process started
const loadBlock = endLoad();

const { query, passages } = JSON.parse(readFileSync(files.texts, "utf8"));
const ids = contender.needsIds ? JSON.parse(readFileSync(files.ids, "utf8")) : undefined;
resetPeak();
const runs = [];
let logits;
for (let i = 0; i < warmup + reps; i++) {
  await new Promise((resume) => setTimeout(resume, 20));
  const endRun = watchEventLoop();
  const start = performance.now();
  logits = await contender.score(query, passages, ids);
  const run = { ms: performance.now() - start, block: endRun() };
  if (i >= warmup) runs.push(run);
}
const atEnd = memory();
const result = {
  loadMs,
  firstScoreMs,
  loadBlock,
  loaded,
  rerankMs: median(runs.map(({ ms }) => ms)),
  runsMs: runs.map(({ ms }) => ms),
  runBlock: {
    ms: Math.max(...runs.map(({ block }) => block.ms)),
    guestMs: Math.max(...runs.map(({ block }) => block.guestMs)),
  },
  peakMb: atEnd.peakMb,
  peakOnceMb: atEnd.peakMb - atEnd.repeatedMb,
  stolen: stolen(),
  logits: logits && Array.from(logits),
};
process.stdout.write(`\n${JSON.stringify(result)}\n`, () => process.exit(0));
