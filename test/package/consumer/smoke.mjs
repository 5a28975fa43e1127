// Runs in a consumer project: node smoke.mjs MODEL ENTRY...
import assert from "node:assert/strict";

const [model, ...entries] = process.argv.slice(2);
for (const entry of entries) assert.ok(Object.keys(await import(entry)).length > 0, `${entry} exports nothing`);

const { loadReranker } = await import("bge-reranker");
const reranker = await loadReranker(model, { device: "cpu" });
const documents = ["Bananas grow in tropical climates.", "The capital of France is Paris."];
const ranked = await reranker.rank("What is the capital of France?", documents);
await reranker.dispose();
console.log(JSON.stringify({ node: process.version, ranked }));
