// WebGPU against PyTorch on the same card and weights: run.sh starts this, see ../README.md for the options.
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { ensureModel, fromHere, python, workFolder } from "../setup.mjs";
import { equalPairs, mixedPairs, openTokenizer } from "../workload.mjs";

const { values } = parseArgs({
  options: {
    shapes: { type: "string", default: "base,large,v2-m3" },
    dtypes: { type: "string", default: "fp32,fp16" },
    n: { type: "string" },
    seconds: { type: "string" },
    json: { type: "string", default: "gpu-results.json" },
    tiny: { type: "boolean", default: false },
  },
});
const shapes = values.tiny ? ["tiny"] : values.shapes.split(",");
const n = Number(values.n ?? (values.tiny ? 3 : 256));
const seconds = values.seconds ?? (values.tiny ? "0" : "2");

const report = { date: new Date().toISOString().slice(0, 10), n, card: card(), node: process.version, shapes: {} };
report.onnxruntime = createRequire(import.meta.url)("onnxruntime-node/package.json").version;
for (const shape of shapes) {
  try {
    report.shapes[shape] = await measureShape(shape);
  } catch (error) {
    process.exitCode = 1;
    note(`${shape}: ${error.message}`);
  }
  // As soon as there is something: a machine that is lent may be taken back.
  writeFileSync(values.json, `${JSON.stringify(report, undefined, 1)}\n`);
}
if (Object.keys(report.shapes).length > 0) print();
console.log(`\nWritten to ${values.json}.`);

async function measureShape(shape) {
  const model = ensureModel(shape, "--checkpoint-only", "--lively");
  const encode = openTokenizer(model);
  const workloads = {
    "128 tokens": equalPairs(encode, n, 128),
    "512 tokens": equalPairs(encode, n, 512),
    mixed: mixedPairs(encode, n),
  };
  const files = join(workFolder, "gpu");
  mkdirSync(files, { recursive: true });
  const input = join(files, "workloads.json");
  writeFileSync(input, JSON.stringify(workloads));
  const ours = {};
  for (const dtype of values.dtypes.split(",")) {
    note(`${shape}: webgpu ${dtype}`);
    ours[dtype] = await runOurs(model, dtype, input);
  }
  note(`${shape}: PyTorch`);
  const output = join(files, "peer.json");
  execFileSync(python, [fromHere("gpu", "peer.py"), model, input, seconds, output], { stdio: "inherit" });
  const peer = JSON.parse(readFileSync(output, "utf8"));
  if (Object.values(ours).every(({ error }) => error)) process.exitCode = 1;
  return summarize(ours, peer);
}

/** `{error}` where the device cannot run it. */
async function runOurs(model, dtype, input) {
  const argv = [fromHere("gpu", "ours.mjs"), model, dtype, input, seconds];
  const env = { ...process.env, BGE_RERANKER_CACHE: join(workFolder, "cache") };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, argv, { env, maxBuffer: 2 ** 28 });
    return JSON.parse(stdout);
  } catch (error) {
    return { error: /^\w*Error.*/m.exec(error.stderr ?? "")?.[0] ?? error.message };
  }
}

function summarize(ours, { reference, peer, ...python }) {
  const row = (title, runs, more) => ({
    title,
    ...more,
    difference: Object.fromEntries(Object.entries(reference).map(([dtype, logits]) => [dtype, furthest(runs, logits)])),
    speed: Object.fromEntries(
      Object.entries(runs).map(([name, { pairsPerSecond, ms, firstMs, batch }]) => [
        name,
        { pairsPerSecond, ratio: pairsPerSecond / peer.runs[name].pairsPerSecond, ms, firstMs, batch },
      ]),
    ),
  });
  return {
    python: { ...python, passedOver: peer.passedOver },
    spread: deviation(Object.values(reference.fp32).flat()),
    rows: [
      row(`${peer.title} ${peer.dtype}`, peer.runs, {}),
      ...Object.entries(ours).map(([dtype, { error, runs, loadMs }]) =>
        error ? { title: `webgpu ${dtype}`, error } : row(`webgpu ${dtype}`, runs, { loadMs }),
      ),
    ],
  };
}

/** Largest difference of a logit over all workloads. */
function furthest(runs, reference) {
  const differences = Object.entries(reference).flatMap(([name, logits]) =>
    logits.map((logit, i) => Math.abs(logit - runs[name].logits[i])),
  );
  return Math.max(...differences);
}

function deviation(values) {
  const mean = values.reduce((a, b) => a + b) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** What the machine says about its card. */
function card() {
  const nvidia = output("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader");
  const vulkan = output("vulkaninfo", "--summary")?.match(/(?<=(deviceName|driverInfo)\s*= ).*/g);
  return {
    nvidia,
    vulkan: vulkan?.join(", "),
    driverFile: process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES,
  };
}

function output(command, ...argv) {
  try {
    return execFileSync(command, argv, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

function print() {
  const { card, node, onnxruntime } = report;
  const measured = Object.entries(report.shapes);
  const { python, rows } = measured[0][1];
  const versions = Object.entries(python.versions).map(([name, version]) => `${name} ${version}`);
  console.log(`
Card: ${card.nvidia ?? "no nvidia-smi"}; Vulkan: ${card.vulkan ?? "no vulkaninfo"}; driver file: ${card.driverFile ?? "any"}
PyTorch on ${python.device}; ${versions.join(", ")}; onnxruntime-node ${onnxruntime}, Node ${node}
${n} pairs in each workload; in brackets: times as fast as PyTorch
`);
  const names = Object.keys(rows[0].speed);
  const heads = ["shape", "what runs", "load s", "off PyTorch fp32", "off PyTorch fp16", "spread"];
  console.log(`| ${[...heads, ...names.map((name) => `${name}, pairs/s`)].join(" | ")} |`);
  console.log(`| --- | --- |${" ---: |".repeat(heads.length - 2 + names.length)}`);
  for (const [shape, { rows, spread }] of measured) {
    for (const row of rows) console.log(`| ${shape} | ${row.title} | ${figures(row, spread, names).join(" | ")} |`);
  }
  for (const [peer, why] of Object.entries(python.passedOver)) console.log(`\nNot measured: ${peer}, ${why}`);
  for (const [shape, { rows }] of measured) {
    for (const { title, error } of rows) if (error) console.log(`\n${shape}, ${title}: ${error}`);
  }
}

function figures({ error, loadMs, difference, speed }, spread, names) {
  if (error) return ["does not run, see below", ...new Array(3 + names.length).fill("")];
  const off = ["fp32", "fp16"].map((dtype) => difference[dtype]?.toExponential(1) ?? "");
  const speeds = names.map(
    (name) => `${Number(speed[name].pairsPerSecond.toPrecision(3))} (${Number(speed[name].ratio.toPrecision(2))})`,
  );
  return [loadMs ? (loadMs / 1000).toFixed(1) : "", ...off, spread.toPrecision(2), ...speeds];
}

function note(what) {
  process.stderr.write(`${what}\n`);
}
