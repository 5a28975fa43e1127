import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GraphModel } from "../../src/graph/graph-model.js";
import { fp16Graph, fp32Graph } from "../../src/graph/model.js";
import { makeBatch } from "../../src/runtime/batch.js";
import { createSession } from "../../src/runtime/session.js";
import { editModel, type Tensors } from "../support/checkpoint.js";
import { checkpointOf, openTokenizer } from "../support/engine.js";
import { fixture, temporaryFolder } from "../support/paths.js";

/**
 * The half-precision graph, run by ONNX Runtime's CPU provider: it keeps the graph's casts, so what leaves float16's
 * range is seen, while the arithmetic between them is float32. No GPU takes part.
 */
describe("the float16 graph", () => {
  for (const model of ["xlmr", "bert"]) {
    it(`${model}: stays near float32, padded or not`, async (t) => {
      process.env.BGE_RERANKER_CACHE = temporaryFolder(t);
      const [half, exact] = await bothLogits(fixture(`models/${model}`));
      for (const [i, logit] of half.entries())
        assert.ok(Math.abs(logit - exact[i]!) < 0.02, `${logit} for ${exact[i]}`);
    });
  }

  it("does not overflow where sums of squares and attention logits leave float16's range", async (t) => {
    process.env.BGE_RERANKER_CACHE = temporaryFolder(t);
    const folder = editModel(t, "xlmr", { tensors: (tensors) => scale(tensors, /LayerNorm\.(weight|bias)$/, 300) });
    const [half, exact] = await bothLogits(folder);
    for (const [i, logit] of half.entries()) {
      assert.ok(Number.isFinite(logit), `${logit}`);
      assert.ok(Math.abs(logit - exact[i]!) < 0.02 * Math.max(...exact.map(Math.abs)), `${logit} for ${exact[i]}`);
    }
  });

  it("refuses weights beyond float16's range", async (t) => {
    process.env.BGE_RERANKER_CACHE = temporaryFolder(t);
    const folder = editModel(t, "bert", { tensors: (tensors) => scale(tensors, /pooler\.dense\.weight$/, 1e7) });
    await assert.rejects(bothLogits(folder), { code: "MODEL_UNSUPPORTED", message: /pooler\.dense\.weight.*float16/ });
  });
});

function scale(tensors: Tensors, names: RegExp, factor: number): void {
  for (const [name, { bytes }] of tensors) {
    if (!names.test(name)) continue;
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let i = 0; i < values.length; i++) values[i]! *= factor;
  }
}

async function bothLogits(folder: string): Promise<[half: number[], exact: number[]]> {
  const checkpoint = await checkpointOf(folder);
  const run = async (model: GraphModel) => {
    const tokenizer = await openTokenizer(folder);
    const session = await createSession(model, { name: "cpu", index: 0 });
    const pairs = ["could not open file", "文件不存在", "x ".repeat(90)].map((passage) =>
      tokenizer.pair(tokenizer.encode("which file?"), tokenizer.encode(passage), 64),
    );
    const logits = Array.from(await session.run(makeBatch(pairs, tokenizer.padId)));
    await session.release();
    return logits;
  };
  return [await run(fp16Graph(checkpoint, assert.fail)), await run(fp32Graph(checkpoint, true))];
}
