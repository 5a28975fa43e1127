// bge-reranker on WebGPU, one number format in a process of its own: node ours.mjs MODEL DTYPE WORKLOADS.json SECONDS
// Prints one line of JSON: `{loadMs, runs: {[workload]: {firstMs, ms, pairsPerSecond, logits}}}`.
import { readFileSync } from "node:fs";
import { loadReranker } from "../../dist/src/index.js";
import { median } from "../measure.mjs";

const [model, dtype, workloads, seconds] = process.argv.slice(2);
const start = performance.now();
const reranker = await loadReranker(model, { device: "webgpu", dtype });
const result = { loadMs: performance.now() - start, runs: {} };
for (const [name, { query, passages }] of Object.entries(JSON.parse(readFileSync(workloads, "utf8")))) {
  let logits;
  const time = async () => {
    const begin = performance.now();
    logits = await reranker.score(query, passages);
    return performance.now() - begin;
  };
  // Compiles the shaders for these lengths; it counts only where nothing is to be measured, but to be seen to run.
  const firstMs = await time();
  const times = Number(seconds) > 0 ? [] : [firstMs];
  const end = performance.now() + Number(seconds) * 1000;
  while (performance.now() < end || (Number(seconds) > 0 && times.length < 3)) times.push(await time());
  const ms = median(times);
  result.runs[name] = { firstMs, ms, pairsPerSecond: (passages.length / ms) * 1000, logits };
}
await reranker.dispose();
process.stdout.write(`${JSON.stringify(result)}\n`);
