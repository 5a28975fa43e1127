// Many callers at once on one reranker: node bench/callers.mjs [--model FOLDER|mini] [--dtype fp32] [--workers W] [--rounds 3]
//   throughput: 16 concurrent callers with 10 passages each against one call with all 160
//   waiting: a 1-passage request that comes among them, in batches that a session ends before its answer
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { mostWorkers } from "../dist/src/engine/select-device.js";
import { loadReranker } from "../dist/src/index.js";
import { median } from "./measure.mjs";
import { ensureModel } from "./setup.mjs";
import { makeWorkload } from "./workload.mjs";

const CALLERS = 16;
const EACH = 10;
/** Answers of one batch arrive together; batches are much further apart than this. */
const SAME_BATCH_MS = 2;

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    dtype: { type: "string", default: "fp32" },
    workers: { type: "string" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});
const { texts } = makeWorkload(ensureModel("base"), CALLERS * EACH);
const { query, passages } = JSON.parse(readFileSync(texts, "utf8"));
const model = values.model ?? ensureModel("base");
const workers = Number(values.workers ?? mostWorkers());
const reranker = await loadReranker(model, { device: "cpu", dtype: values.dtype, workers });
await reranker.rank(query, passages); // until all sessions are open

const rounds = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const both = [() => time(oneCall), () => time(manyCalls)];
  const [first, second] = round % 2 ? both.toReversed() : both;
  const times = [await first(), await second()];
  const [one, many] = round % 2 ? times.toReversed() : times;
  rounds.push({ one, many, share: one / many, waited: await batchesBeforeSmallRequest() });
}
await reranker.dispose();

const result = {
  model,
  dtype: reranker.info.dtype,
  oneCallMs: median(rounds.map(({ one }) => one)),
  manyCallsMs: median(rounds.map(({ many }) => many)),
  throughputShare: median(rounds.map(({ share }) => share)),
  sessions: workers,
  batchesWaited: Math.max(...rounds.map(({ waited }) => waited)),
};
if (values.json) console.log(JSON.stringify(result));
else {
  console.log(`one call of ${CALLERS * EACH}: ${result.oneCallMs.toFixed(0)} ms`);
  console.log(`${CALLERS} callers of ${EACH}: ${result.manyCallsMs.toFixed(0)} ms`);
  console.log(`throughput of many callers against one: ${result.throughputShare.toFixed(2)} (wanted: 0.9 or more)`);
  const each = Math.ceil(result.batchesWaited / workers);
  console.log(
    `before a 1-passage request among them ${result.batchesWaited} batches of ${workers} sessions were answered at most,`,
  );
  console.log(`${each} of one session (wanted: 2 or fewer); those that ran beside its own are among them`);
}

function oneCall() {
  return reranker.rank(query, passages);
}

function manyCalls(onProgress) {
  const shares = Array.from({ length: CALLERS }, (_, i) => passages.slice(i * EACH, (i + 1) * EACH));
  return Promise.all(shares.map((share) => reranker.rank(query, share, { onProgress })));
}

async function time(run) {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** Batches whose answers came between a small request, sent once the others are under way, and its own answer. */
async function batchesBeforeSmallRequest() {
  const answers = [];
  let others;
  await new Promise((resolve) => {
    others = manyCalls(() => {
      answers.push(performance.now());
      resolve();
    });
  });
  await new Promise((resolve) => setTimeout(resolve, SAME_BATCH_MS));
  const sent = performance.now();
  await reranker.rank(query, passages.slice(0, 1));
  const answered = performance.now();
  await others;
  const meanwhile = answers.filter((at) => at > sent && at < answered - SAME_BATCH_MS);
  return meanwhile.filter((at, i) => i === 0 || at - meanwhile[i - 1] > SAME_BATCH_MS).length;
}
