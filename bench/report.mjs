// The tables of a benchmark's results: every contender's figures, then the ratios that we hold ourselves to.
import { titles } from "./contenders.mjs";
import { median } from "./measure.mjs";

/**
 * What a result has to show for 100 passages: `value` of the round's results by contender, and the least (or, with
 * `most`, the greatest) that will do. Ratios are within one round.
 */
const targets = [
  ["fp32 against transformers.js fp32: times faster", faster("ours-fp32", "tjs-fp32"), { least: 6.6 }],
  ["int8 against transformers.js fp32: times faster", faster("ours-int8", "tjs-fp32"), { least: 28 }],
  ["int8 against transformers.js q8: times faster", faster("ours-int8", "tjs-q8"), { least: 11 }],
  [
    "int8 against node-llama-cpp, the better: times faster",
    faster("ours-int8", "llama-f16", "llama-q8_0"),
    { least: 4.2 },
  ],
  ["fp32, text in, against raw onnxruntime on tokens: speed", faster("ours-fp32", "ort-fp32"), { least: 1 }],
  ["int8, text in, against the matrix products alone: speed", faster("ours-int8", "products-int8"), { least: 0.66 }],
  ["load against transformers.js fp32: times faster", ratio("tjs-fp32", "ours-fp32", (r) => r.loadMs), { least: 3 }],
  ["process start to first score: times sooner", ratio("tjs-fp32", "ours-fp32", (r) => r.firstScoreMs), { least: 6 }],
  ["anonymous memory after load: share", ratio("ours-fp32", "tjs-fp32", (r) => r.loaded.anonymousMb), { most: 0.1 }],
  ["resident memory after load: share", ratio("ours-fp32", "tjs-fp32", (r) => r.loaded.residentMb), { most: 0.6 }],
  ["peak resident memory in the run: share", ratio("ours-fp32", "tjs-fp32", (r) => r.peakMb), { most: 1 / 6 }],
  [
    "the same, pages that are mapped several times counted once",
    ratio("ours-fp32", "tjs-fp32", (r) => r.peakOnceMb),
    { most: 1 / 6 },
  ],
  ["longest block of the event loop, fp32: ms", longestBlock("ours-fp32", "ms"), { most: 25 }],
  ["longest block of the event loop, int8: ms", longestBlock("ours-int8", "ms"), { most: 25 }],
  ["the same, on or waiting for a core, fp32: ms", longestBlock("ours-fp32", "guestMs"), { most: 25 }],
  ["the same, on or waiting for a core, int8: ms", longestBlock("ours-int8", "guestMs"), { most: 25 }],
  ["fp32 logits against PyTorch: largest difference", (r) => r["ours-fp32"]?.maxDifference, { most: 1e-4 }],
];

const TARGET_PASSAGES = 100;

/** How many times faster than the fastest of the others. */
function faster(name, ...others) {
  return (round) => Math.min(...others.map((other) => round[other]?.rerankMs ?? Number.NaN)) / round[name]?.rerankMs;
}

function ratio(above, below, value) {
  return (round) =>
    round[above]?.loaded && round[below]?.loaded ? value(round[above]) / value(round[below]) : undefined;
}

function longestBlock(name, time) {
  return (round) => round[name]?.loaded && Math.max(round[name].loadBlock[time], round[name].runBlock[time]);
}

export function printReport(report) {
  const { system, workloads } = report;
  const packages = Object.entries(system.packages).map(([name, version]) => `${name} ${version}`);
  console.log(
    `${system.cpu}, ${system.cores} cores, ${system.memoryGb} GB; node ${system.node}; ${packages.join(", ")}`,
  );
  for (const n of Object.keys(workloads).map(Number)) {
    const { tokens, longest } = workloads[n];
    console.log(`\n${n} passages, ${tokens} tokens (${longest * n} when padded to one batch)\n`);
    printContenders(report, n);
  }
  if (workloads[TARGET_PASSAGES]) printTargets(report);
}

/** The median over the rounds of each of a contender's figures. */
export function summary(report, n, contender) {
  const rows = report.results.filter((result) => result.n === n && result.contender === contender);
  const good = rows.filter(({ error }) => error === undefined);
  if (good.length === 0) return { error: rows[0]?.error ?? "was not run" };
  const over = (value) => median(good.map(value));
  const rerankMs = over((r) => r.rerankMs);
  return {
    loadMs: over((r) => r.loadMs),
    firstScoreMs: over((r) => r.firstScoreMs),
    rerankMs,
    pairsPerSecond: (n / rerankMs) * 1000,
    tokensPerSecond: (report.workloads[n].tokens / rerankMs) * 1000,
    loadedMb: over((r) => r.loaded.residentMb),
    anonymousMb: over((r) => r.loaded.anonymousMb),
    peakMb: over((r) => r.peakMb),
    peakOnceMb: over((r) => r.peakOnceMb),
    blockMs: Math.max(...good.map((r) => Math.max(r.loadBlock.ms, r.runBlock.ms))),
    guestBlockMs: Math.max(...good.map((r) => Math.max(r.loadBlock.guestMs, r.runBlock.guestMs))),
    stolen: over((r) => r.stolen),
    maxDifference: good[0].maxDifference,
    correlation: good[0].correlation,
  };
}

const columns = [
  ["load ms", (s) => s.loadMs.toFixed(0)],
  ["first ms", (s) => s.firstScoreMs.toFixed(0)],
  ["rerank ms", (s) => s.rerankMs.toFixed(0)],
  ["pairs/s", (s) => s.pairsPerSecond.toFixed(1)],
  ["tokens/s", (s) => s.tokensPerSecond.toFixed(0)],
  ["MB loaded", (s) => s.loadedMb?.toFixed(0) ?? "-"],
  ["anonymous", (s) => s.anonymousMb?.toFixed(0) ?? "-"],
  ["MB peak", (s) => s.peakMb?.toFixed(0) ?? "-"],
  ["once", (s) => s.peakOnceMb?.toFixed(0) ?? "-"],
  ["block ms", (s) => s.blockMs.toFixed(0)],
  ["on core", (s) => (Number.isFinite(s.guestBlockMs) ? s.guestBlockMs.toFixed(0) : "-")],
  ["stolen", (s) => (Number.isFinite(s.stolen) ? `${(s.stolen * 100).toFixed(0)} %` : "-")],
  ["max diff", (s) => s.maxDifference?.toExponential(0) ?? "-"],
  ["r", (s) => s.correlation?.toFixed(4) ?? "-"],
];

function printContenders(report, n) {
  const names = [...new Set(report.results.map(({ contender }) => contender))];
  console.log(`${" ".repeat(38)}${columns.map(([title]) => title.padStart(11)).join("")}`);
  for (const name of names) {
    const row = summary(report, n, name);
    const cells = row.error
      ? `  ${row.error.slice(0, 120)}`
      : columns.map(([, cell]) => cell(row).padStart(11)).join("");
    console.log(`${titles[name].padEnd(38)}${cells}`);
  }
}

function printTargets({ results, settings }) {
  console.log(`\n${"".padEnd(58)}${"measured".padStart(10)}${"wanted".padStart(12)}`);
  for (const [what, value, { least, most }] of targets) {
    const rounds = Array.from({ length: settings.rounds }, (_, round) => {
      const ours = results.filter((r) => r.n === TARGET_PASSAGES && r.round === round && r.error === undefined);
      return Object.fromEntries(ours.map((result) => [result.contender, result]));
    });
    const measured = rounds.map(value).filter(Number.isFinite);
    const figure = measured.length > 0 ? median(measured) : undefined;
    const wanted = least === undefined ? `<= ${short(most)}` : `>= ${short(least)}`;
    const verdict =
      figure === undefined ? "" : (least === undefined ? figure <= most : figure >= least) ? "  yes" : "  NO";
    console.log(
      `${what.padEnd(58)}${(figure === undefined ? "-" : short(figure)).padStart(10)}${wanted.padStart(12)}${verdict}`,
    );
  }
}

function short(value) {
  return value < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
