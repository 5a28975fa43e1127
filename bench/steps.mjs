// What each decision about the CPU's graph buys: node bench/steps.mjs [--lengths 32,135,512] [--rounds 5]
//   One pair a run on one thread, CPU time of the process, every variant in turn within each round; medians.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { observeActivations } from "../dist/src/engine/calibration.js";
import { openCheckpoint } from "../dist/src/graph/checkpoint.js";
import { fp32Graph, int8Graph, probeGraph } from "../dist/src/graph/model.js";
import { parseConfig } from "../dist/src/model/config.js";
import { resolveModel } from "../dist/src/model/resolve.js";
import { createSession, UNWANTED_FUSIONS } from "../dist/src/runtime/session.js";
import { PairTokenizer } from "../dist/src/tokenizer/tokenizer.js";
import { median } from "./measure.mjs";
import { ensureModel } from "./setup.mjs";

const { values } = parseArgs({
  options: { lengths: { type: "string", default: "32,135,512" }, rounds: { type: "string", default: "5" } },
});
const lengths = values.lengths.split(",").map(Number);
const ort = createRequire(import.meta.resolve("../dist/src/index.js"))("onnxruntime-node");

const files = await resolveModel(ensureModel("base"));
const architecture = parseConfig(JSON.parse(readFileSync(files.paths["config.json"], "utf8")));
const checkpoint = openCheckpoint(files, architecture, console.warn);
const observe = async () => {
  const session = await createSession(probeGraph(checkpoint), { name: "cpu", index: 0 });
  const tokenizer = PairTokenizer.create(readFileSync(files.paths["tokenizer.json"]));
  const seen = await observeActivations(session, tokenizer, 512);
  await session.release();
  return seen;
};

const int8 = await int8Graph(checkpoint, observe, console.warn);
const variants = {
  "attention from MatMul and Softmax, with a mask": { graph: fp32Graph(checkpoint, true) },
  "MultiHeadAttention, no mask; ONNX Runtime's own fusions": { graph: fp32Graph(checkpoint, false), fusions: true },
  "without SkipLayerNormalization: what we run in fp32": { graph: fp32Graph(checkpoint, false) },
  "int8 weights: what we run in int8": { graph: int8 },
  "int8 with ONNX Runtime's own fusions": { graph: int8, fusions: true },
};

async function open({ graph, fusions }) {
  const parts = [];
  for (const { graph: model, folder } of graph.parts) {
    const disabled = fusions ? {} : { optimization: { disable_specified_optimizers: UNWANTED_FUSIONS.join(";") } };
    const extra = { session: { model_external_initializers_file_folder_path: folder }, ...disabled };
    const options = { executionProviders: ["cpu"], enableMemPattern: false, intraOpNumThreads: 1, logSeverityLevel: 4 };
    parts.push(await ort.InferenceSession.create(model, { ...options, extra }));
  }
  return async (length) => {
    let feeds = {
      input_ids: new ort.Tensor(
        "int32",
        Int32Array.from({ length }, (_, i) => 5 + ((i * 7919) % 15_000)),
        [1, length],
      ),
      attention_bias: new ort.Tensor("float32", new Float32Array(length), [1, 1, 1, length]),
    };
    for (const part of parts) {
      const inputs = Object.fromEntries(part.inputNames.map((name) => [name, feeds[name]]));
      feeds = { ...feeds, ...(await part.run(inputs)) };
    }
  };
}

const runs = {};
for (const [name, variant] of Object.entries(variants)) runs[name] = await open(variant);
const times = Object.fromEntries(Object.keys(runs).map((name) => [name, lengths.map(() => [])]));
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const [name, run] of Object.entries(runs)) {
    for (const [i, length] of lengths.entries()) {
      const repeats = Math.max(1, Math.round(512 / length));
      const before = process.cpuUsage();
      for (let k = 0; k < repeats; k++) await run(length);
      const { user, system } = process.cpuUsage(before);
      if (round > 0) times[name][i].push((user + system) / 1000 / repeats); // the first round warms up
    }
  }
}

const cost = (name, i) => median(times[name][i]);
console.log(`| CPU time of one pair, ms | ${lengths.map((length) => `${length} tokens`).join(" | ")} |`);
console.log(`|---|${lengths.map(() => "---:").join("|")}|`);
const row = (name, of) => console.log(`| ${name} | ${lengths.map((_, i) => of(i).toFixed(1)).join(" | ")} |`);
for (const name of Object.keys(variants)) row(name, (i) => cost(name, i));
