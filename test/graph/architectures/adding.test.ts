import assert from "node:assert/strict";
import { after, it } from "node:test";
import type { Architecture } from "../../../src/graph/architectures/architecture.js";
import { architectures } from "../../../src/graph/architectures/list.js";
import { loadReranker } from "../../../src/rerankers/load.js";
import { editModel, type Tensors, useOwnCache } from "../../support/checkpoint.js";
import { openTokenizer } from "../../support/engine.js";
import { failsWith } from "../../support/errors.js";
import { fixture } from "../../support/paths.js";

useOwnCache();

/** What a new file would hold: a model whose logit is the sum of its tokens' weights. */
const bagOfWords: Architecture = {
  name: "bag-of-words",
  maxLength: () => 64,
  read: ({ vocab_size: vocab }) => ({
    architecture: "bag-of-words",
    layers: 1,
    hidden: 1,
    heads: 1,
    vocab: Number(vocab),
    maxLength: 64,
    tensors: new Map([
      ["words", [Number(vocab), 1]],
      ["score.weight", [1, 1]],
      ["score.bias", [1]],
    ]),
    unused: /^$/,
    labelWeight: "score.weight",
    quantizable: [{ name: "score", sharesInputOf: "score" }],
    embed: (graph, { use }) =>
      graph.node("Gather", [use("words"), graph.input("input_ids", "int32", ["batch", "sequence"])], { axis: 0 }),
    score: (graph, embeddings, { dense }) => {
      const axis = graph.constant("int64", [1]);
      return dense(graph, "score", graph.node("ReduceSum", [embeddings, axis], { keepdims: 0 }));
    },
  }),
};

// The one line.
architectures.push(bagOfWords);
after(() => void architectures.pop());

const VOCAB = 1500;
const weight = (id: number) => ((id * 37) % 101) / 10 - 5;

function checkpoint(tensors: Tensors): void {
  const floats = (values: number[]) => Buffer.from(Float32Array.from(values).buffer);
  tensors.clear();
  const words = Array.from({ length: VOCAB }, (_, id) => weight(id));
  tensors.set("words", { dtype: "F32", shape: [VOCAB, 1], bytes: floats(words) });
  tensors.set("score.weight", { dtype: "F32", shape: [1, 1], bytes: floats([2]) });
  tensors.set("score.bias", { dtype: "F32", shape: [1], bytes: floats([0.5]) });
}

it("an architecture is one file and one line: it loads, scores, and has its limit", async (t) => {
  const config = (settings: Record<string, unknown>) => void Object.assign(settings, { model_type: "bag-of-words" });
  const folder = editModel(t, "bert", { config, tensors: checkpoint });
  const tokenizer = await openTokenizer(fixture("models/bert"));
  for (const dtype of ["fp32", "int8"] as const) {
    await using reranker = await loadReranker(folder, { device: "cpu", dtype, worker: false });
    assert.deepEqual([reranker.info?.architecture, reranker.info?.maxLength], ["bag-of-words", 64]);
    const { ids } = tokenizer.pair(tokenizer.encode("a server"), tokenizer.encode("fails to start"), 64);
    const wanted = 2 * ids.reduce((sum, id) => sum + weight(id), 0) + 0.5;
    const logit = await reranker.computeScore(["a server", "fails to start"]);
    assert.ok(Math.abs(logit - wanted) < (dtype === "fp32" ? 1e-4 : 0.5), `${dtype}: ${logit}, not ${wanted}`);
  }
  const tooLong = loadReranker(folder, { device: "cpu", maxLength: 65, worker: false });
  await assert.rejects(tooLong, failsWith("OPTION_INVALID", "64 tokens"));
});
