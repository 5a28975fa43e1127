// Draws the results of run.mjs --json: node bench/plot.mjs RESULTS.json [--n 100] [--out bench/results.svg]
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { titles } from "./contenders.mjs";
import { summary } from "./report.mjs";
import { fromHere } from "./setup.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { n: { type: "string", default: "100" }, out: { type: "string", default: fromHere("results.svg") } },
});
const report = JSON.parse(readFileSync(positionals[0], "utf8"));
const n = Number(values.n);
const bars = [...new Set(report.results.map(({ contender }) => contender))]
  .map((name) => ({ name, ...summary(report, n, name) }))
  .filter(({ error, name }) => error === undefined && !name.startsWith("products"))
  .sort((a, b) => b.pairsPerSecond - a.pairsPerSecond);
writeFileSync(values.out, draw(bars));

function draw(bars) {
  const [left, width, height, top] = [290, 360, 30, 64];
  const most = Math.max(...bars.map(({ pairsPerSecond }) => pairsPerSecond));
  const rows = bars.map(({ name, pairsPerSecond }, i) => {
    const y = top + i * height;
    const length = Math.max(1, (width * pairsPerSecond) / most);
    return `  <text x="${left - 10}" y="${y + 15}" text-anchor="end">${escapeXml(titles[name])}</text>
  <rect class="${name.startsWith("ours") ? "ours" : "other"}" x="${left}" y="${y}" width="${length.toFixed(1)}" height="20" rx="3"/>
  <text x="${(left + length + 8).toFixed(1)}" y="${y + 15}">${pairsPerSecond.toFixed(1)}</text>`;
  });
  const { cpu, cores, node } = report.system;
  const tokens = report.workloads[n].tokens;
  const bottom = top + bars.length * height + 20;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 ${bottom + 16}" role="img" aria-labelledby="title" font-family="system-ui, sans-serif" font-size="13">
  <title id="title">Passages reranked per second by bge-reranker and other JavaScript libraries</title>
  <style>
    text { fill: #1f2328 } .small { font-size: 11px; fill: #59636e } .ours { fill: #0969da } .other { fill: #afb8c1 }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .small { fill: #9198a1 } .ours { fill: #4493f8 } .other { fill: #59636e }
    }
  </style>
  <text x="10" y="24" font-size="16" font-weight="600">Passages reranked per second</text>
  <text class="small" x="10" y="44">${escapeXml(`bge-reranker-base's shape, ${n} passages of ${Math.round(tokens / n)} tokens on average; longer bars are better`)}</text>
${rows.join("\n")}
  <text class="small" x="10" y="${bottom}">${escapeXml(`${cpu}, ${cores} cores, Node ${node}, random weights; made by bench/run.mjs and bench/plot.mjs`)}</text>
</svg>
`;
}

function escapeXml(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
