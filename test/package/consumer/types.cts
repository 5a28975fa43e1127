// The same for CommonJS: require() of ES modules.
import core = require("bge-reranker");
import aiSdk = require("bge-reranker/ai-sdk");
import langchain = require("bge-reranker/langchain");
import llamaindex = require("bge-reranker/llamaindex");

async function bestScore(): Promise<number> {
  const reranker: core.Reranker = await core.loadReranker("mini", { device: "cpu" });
  const ranked: core.RankedDocument<string>[] = await reranker.rank("query", ["one"]);
  return ranked[0]?.score ?? 0;
}

export = {
  bestScore,
  compressor: new langchain.BgeReranker({ topN: 3 }),
  postprocessor: new llamaindex.BgeRerankerPostprocessor({ topN: 3 }),
  model: aiSdk.bgeReranker({ model: "mini" }),
};
