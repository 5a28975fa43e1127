// The same as smoke.mjs through require(), which loads ES modules since Node 20.19 and 22.12.
const assert = require("node:assert/strict");

const [model, ...entries] = process.argv.slice(2);
for (const entry of entries) assert.ok(Object.keys(require(entry)).length > 0, `${entry} exports nothing`);

const { loadReranker } = require("bge-reranker");
loadReranker(model, { device: "cpu" }).then(async (reranker) => {
  const documents = ["Bananas grow in tropical climates.", "The capital of France is Paris."];
  const ranked = await reranker.rank("What is the capital of France?", documents);
  await reranker.dispose();
  console.log(JSON.stringify({ node: process.version, ranked }));
});
