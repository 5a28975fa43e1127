// Memory and time of large models and long inputs: node bench/shapes.mjs [--shapes base,v2-m3] [--dtypes fp32,int8] [--tokens 128,512,8192]
//   Each case in a process of its own: load, then one pair of each length. The second of two loads counts, so that our
//   derived cache is there.
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { loadReranker } from "../dist/src/index.js";
import { memory, resetPeak } from "./measure.mjs";
import { ensureModel } from "./setup.mjs";

const { values } = parseArgs({
  options: {
    shapes: { type: "string", default: "base,v2-m3" },
    dtypes: { type: "string", default: "fp32,int8" },
    tokens: { type: "string", default: "128,512,8192" },
    case: { type: "string" },
  },
});

if (values.case) await measure(...JSON.parse(values.case));
else compare();

function compare() {
  console.log("| shape | dtype | load ms | anonymous MB | resident MB | one pair of tokens: ms, peak resident MB |");
  console.log("| --- | --- | ---: | ---: | ---: | --- |");
  for (const shape of values.shapes.split(",")) {
    const folder = ensureModel(shape);
    for (const dtype of values.dtypes.split(",")) {
      runCase(folder, dtype, [128]);
      const { loadMs, loaded, pairs } = runCase(folder, dtype, values.tokens.split(",").map(Number));
      const figures = [loadMs, loaded.anonymousMb, loaded.residentMb].map(Math.round);
      const lengths = pairs.map(({ tokens, ms, peakMb }) => `${tokens}: ${Math.round(ms)}, ${Math.round(peakMb)}`);
      console.log(`| ${shape} | ${dtype} | ${figures.join(" | ")} | ${lengths.join("; ")} |`);
    }
  }
}

function runCase(...settings) {
  const argv = [import.meta.filename, "--case", JSON.stringify(settings)];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));
}

async function measure(folder, dtype, lengths) {
  const start = performance.now();
  let reranker = await loadReranker(folder, { device: "cpu", dtype });
  const loadMs = performance.now() - start;
  const loaded = memory();
  const pairs = [];
  const text = "word ".repeat(Math.max(...lengths));
  // Enough work for the draft to be replaced before anything is timed.
  for (let i = 0; i < 12; i++) await reranker.computeScore(["query", text]);
  await reranker.dispose();
  for (const tokens of lengths) {
    try {
      reranker = await loadReranker(folder, { device: "cpu", dtype, maxLength: tokens });
    } catch (error) {
      if (error.code === "OPTION_INVALID") continue; // the model does not allow such length
      throw error;
    }
    for (let i = 0; i < 3; i++) await reranker.computeScore(["query", "word ".repeat(100)]);
    await new Promise((resolve) => setTimeout(resolve, 3000)); // until the sessions are open that this was the sign for
    resetPeak();
    const begin = performance.now();
    await reranker.computeScore(["query", text]);
    pairs.push({ tokens, ms: performance.now() - begin, peakMb: memory().peakMb });
    await reranker.dispose();
  }
  console.log(JSON.stringify({ loadMs, loaded, pairs }));
}
