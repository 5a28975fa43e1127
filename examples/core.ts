// Rerank a handful of passages with the small model inside the package.
import { loadReranker } from "bge-reranker";
import "./support/process.js";

const passages = [
  "The box has a warranty of five years, the supplied disks of three.",
  "Hold the reset button for five seconds: the box goes back to DHCP and keeps all data.",
  "A failed disk has a red light at its bay. Pull it out while the box runs, and push in a new one.",
  "Invoices are sent by mail on the first of the month.",
  "损坏的硬盘所在的槽位亮红灯。不必关机，直接拔出硬盘，再插入一块新硬盘。",
];

await using reranker = await loadReranker("mini"); // or "BAAI/bge-reranker-base", or a folder

for (const query of ["How do I replace a broken disk?", "如何更换损坏的硬盘？"]) {
  console.log(`\n${query}`);
  for (const { score, document } of await reranker.rank(query, passages, { topN: 3 })) {
    console.log(`  ${score.toFixed(3)}  ${document}`);
  }
}

const logit = await reranker.computeScore(["How long is the warranty?", passages[0]!]);
console.log(`\nRaw score of one pair: ${logit.toFixed(2)}`);
