// Random requests, aborts, loads and disposals, with an eye on memory: node bench/soak.mjs [--requests 5000] [--model mini]
// Every 500 requests memory is read in the same state, several times: a fresh load, all sessions open after the same
// work. Between them it depends on what the last requests happened to be.
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { loadReranker } from "../dist/src/index.js";
import { median, memory, random } from "./measure.mjs";

const SETTLED = 500;
const LIMIT = 1.05;
const READINGS = 5;

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "5000" },
    model: { type: "string", default: "mini" },
    device: { type: "string", default: "cpu" },
    dtype: { type: "string", default: "fp32" },
    workers: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});
const requests = Number(values.requests);
if (!(requests > SETTLED)) throw new Error(`--requests must be more than ${SETTLED}.`);
const draw = random(Number(values.seed));
const below = (limit) => Math.floor(draw() * limit);
const WORDS =
  "the server reads its configuration from a file and 服务器 restarts when the certificate expires 证书 🙂".split(" ");
const LONGEST = 8000;
const ALL_TEXT = Array.from({ length: 50_000 }, () => WORDS[below(WORDS.length)]).join(" ");
/** A part of one long text, so that the requests themselves leave no garbage behind. */
const text = () => {
  const start = below(ALL_TEXT.length - LONGEST);
  return ALL_TEXT.slice(start, start + 1 + below(draw() < 0.03 ? LONGEST : LONGEST / 16));
};

const workers = values.workers ? Number(values.workers) : undefined;
const load = () => loadReranker(values.model, { device: values.device, dtype: values.dtype, workers });
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");
const counts = { scored: 0, aborted: 0, loads: 1, refused: 0 };
const marks = [];
let reranker = await load();
for (let done = 0; done < requests; ) {
  const together = Math.min(1 + below(8), requests - done);
  await Promise.all(Array.from({ length: together }, request));
  done += together;
  if (draw() < 0.1) await reload();
  if (done % SETTLED < together || done === requests) {
    marks.push(await inTheSameState());
    process.stderr.write(`${done} requests: ${marks.at(-1).toFixed(1)} MB\n`);
  }
}
await reranker.dispose();

const [settled, end] = [marks[0], marks.at(-1)];
console.log(`${requests} requests: ${JSON.stringify(counts)}`);
console.log(`resident after ${SETTLED} requests: ${settled.toFixed(1)} MB`);
console.log(`resident after ${requests} requests: ${end.toFixed(1)} MB, ${(end / settled).toFixed(3)} times as much`);
if (end > settled * LIMIT) {
  console.error(`That is more than ${LIMIT} times as much.`);
  process.exitCode = 1;
}

async function request() {
  const passages = Array.from({ length: below(draw() < 0.1 ? 120 : 20) }, text);
  const abort = draw() < 0.1 ? AbortSignal.timeout(below(50)) : undefined;
  try {
    const scores = await reranker.score(text(), passages, { signal: abort });
    if (scores.length !== passages.length || !scores.every(Number.isFinite)) throw new Error(`wrong scores: ${scores}`);
    counts.scored += passages.length;
  } catch (error) {
    if (error.code !== "ABORTED") throw error;
    counts.aborted++;
  }
}

/**
 * Resident memory, less this thread's garbage, once the same passages have been scored by a model loaded anew: the median
 * of some such readings.
 */
async function inTheSameState() {
  const passages = Array.from({ length: 200 }, (_, i) => WORDS.join(" ").repeat(1 + (i % 10)));
  const readings = [];
  while (readings.length < READINGS) {
    await reranker.dispose();
    reranker = await load();
    for (let i = 0; i < 5; i++) await reranker.score("the same query", passages);
    collectGarbage();
    readings.push(memory().residentMb);
  }
  return median(readings);
}

/** Sometimes in the middle of work: what waits is then refused, as it should be. */
async function reload() {
  counts.loads++;
  const interrupted = draw() < 0.5 ? reranker.score("query", Array.from({ length: 50 }, text)) : undefined;
  const refused = interrupted?.catch((error) => {
    if (error.code !== "DISPOSED") throw error;
    counts.refused++;
  });
  await reranker.dispose();
  await refused;
  reranker = await load();
}
