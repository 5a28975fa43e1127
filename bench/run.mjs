// Compares bge-reranker with the other ways to rerank locally from JavaScript: node bench/run.mjs [options], see README.md.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { contenders, mostPassages } from "./contenders.mjs";
import { printReport } from "./report.mjs";
import { ensureModel, fromHere, python, workFolder } from "./setup.mjs";
import { makeWorkload } from "./workload.mjs";

/** Pairs that PyTorch scores for the agreement check; more would take too long. */
const MOST_REFERENCE_PAIRS = 200;

const { values } = parseArgs({
  options: {
    n: { type: "string", default: "100" },
    rounds: { type: "string", default: "1" },
    reps: { type: "string", default: "3" },
    warmup: { type: "string", default: "1" },
    only: { type: "string", default: Object.keys(contenders).join() },
    skip: { type: "string", default: "" },
    timeout: { type: "string", default: "3600" },
    json: { type: "string" },
  },
});
const names = values.only.split(",").filter((name) => !values.skip.split(",").includes(name));
for (const name of names) if (!contenders[name]) throw new Error(`There is no contender ${name}.`);

const model = ensureModel("base");
const results = [];
const sizes = values.n.split(",").map(Number);
const workloads = new Map();
for (const n of sizes) workloads.set(n, describeWorkload(n));

for (let round = 0; round < Number(values.rounds); round++) {
  for (const n of sizes) {
    for (const name of round % 2 ? names.toReversed() : names) {
      // Fills the page cache and our derived cache: systems drop what was not read for some minutes.
      await measure(name, n, { warmup: 0, reps: 0 });
      const { logits, ...result } = await measure(name, n, {
        warmup: Number(values.warmup),
        reps: Number(values.reps),
      });
      results.push({ contender: name, n, round, ...result, ...agreement(logits, workloads.get(n).reference) });
      process.stderr.write(`${name} n=${n}: ${result.error ?? `${Math.round(result.rerankMs)} ms`}\n`);
    }
  }
}
const report = {
  system: system(),
  settings: { rounds: Number(values.rounds), reps: Number(values.reps), warmup: Number(values.warmup) },
  workloads: Object.fromEntries([...workloads].map(([n, { tokens, longest }]) => [n, { tokens, longest }])),
  results,
};
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 1)}\n`);
printReport(report);

function describeWorkload(n) {
  const files = makeWorkload(model, n);
  const ids = JSON.parse(readFileSync(files.ids, "utf8"));
  const { query, passages } = JSON.parse(readFileSync(files.texts, "utf8"));
  const lengths = ids.map(({ length }) => length);
  return {
    files,
    first: { query, passage: passages[0], ids: ids[0] },
    tokens: lengths.reduce((a, b) => a + b),
    longest: Math.max(...lengths),
    reference: n <= MOST_REFERENCE_PAIRS ? referenceLogits(files, n) : undefined,
  };
}

/** PyTorch's logits, computed once; `undefined` where there is no PyTorch. */
function referenceLogits(files, n) {
  const out = join(workFolder, `workload-${n}.logits.json`);
  try {
    if (!existsSync(out)) execFileSync(python, [fromHere("reference.py"), model, files.ids, out], { stdio: "inherit" });
    return JSON.parse(readFileSync(out, "utf8"));
  } catch (error) {
    process.stderr.write(`No PyTorch reference, so no agreement is reported: ${error.message}\n`);
    return undefined;
  }
}

/** Runs one contender in a process of its own; `{error}` when it fails. */
function measure(name, n, { warmup, reps }) {
  if (n > mostPassages[name]) return { error: `one padded batch of ${n} passages does not fit in memory` };
  const { files, first } = workloads.get(n);
  const env = {
    ...process.env,
    BENCH_CONTENDER: JSON.stringify({ model, files, first, reps, warmup }),
    BGE_RERANKER_CACHE: join(workFolder, "cache"),
  };
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [fromHere("contender.mjs"), name], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: Number(values.timeout) * 1000,
      killSignal: "SIGKILL",
    });
    const output = { out: "", err: "" };
    child.stdout.on("data", (data) => (output.out += data));
    child.stderr.on("data", (data) => (output.err += data));
    child.on("close", (code, signal) => {
      const line = output.out.trim().split("\n").at(-1);
      const reason = /^\w*Error.*/m.exec(output.err)?.[0] ?? output.err.trim().split("\n").at(-1);
      resolve(code === 0 && line.startsWith("{") ? JSON.parse(line) : { error: reason || `exit ${code ?? signal}` });
    });
  });
}

/** Largest difference from the reference, and correlation with it. */
function agreement(logits, reference) {
  if (!logits || !reference) return {};
  const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
  const centred = (list) => list.map((value) => value - mean(list));
  const [a, b] = [centred(logits), centred(reference)];
  const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return {
    maxDifference: Math.max(...logits.map((logit, i) => Math.abs(logit - reference[i]))),
    correlation: dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)),
  };
}

function system() {
  const version = (name) => JSON.parse(readFileSync(fromHere("node_modules", name, "package.json"), "utf8")).version;
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0]?.model,
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    load: loadavg()[0],
    node: process.version,
    packages: Object.fromEntries(
      ["@huggingface/transformers", "onnxruntime-node", "node-llama-cpp"]
        .filter((name) => existsSync(fromHere("node_modules", name)))
        .map((name) => [name, version(name)]),
    ),
  };
}
