import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { observeActivations, sampleBatches } from "../../src/engine/calibration.js";
import { loadModel } from "../../src/engine/load.js";
import { resolveModel } from "../../src/engine/resolve-model.js";
import type { Checkpoint } from "../../src/graph/checkpoint.js";
import type { GraphModel } from "../../src/graph/graph-model.js";
import { type Activations, int8Layout, quantize, smoothingFactors } from "../../src/graph/int8.js";
import { calibrationGraph, fp32Graph, int8Graph } from "../../src/graph/model.js";
import { loadReranker } from "../../src/rerankers/load.js";
import { makeBatch } from "../../src/runtime/batch.js";
import { createSession } from "../../src/runtime/session.js";
import type { PairTokenizer } from "../../src/tokenizer/tokenizer.js";
import { editModel, type Tensors } from "../support/checkpoint.js";
import { checkpointOf, openTokenizer } from "../support/engine.js";
import { fixture, temporaryFolder } from "../support/paths.js";

const CPU = { name: "cpu", index: 0 } as const;
const PASSAGES = Array.from(
  { length: 24 },
  (_, i) => `${"server could not write file ".repeat(1 + (i % 5))}${i} 文件 ${i * 7}`,
);

function useCache(context: { after: (clean: () => void) => void }): void {
  const before = process.env.BGE_RERANKER_CACHE;
  process.env.BGE_RERANKER_CACHE = temporaryFolder(context);
  context.after(() => {
    if (before === undefined) delete process.env.BGE_RERANKER_CACHE;
    else process.env.BGE_RERANKER_CACHE = before;
  });
}

describe("quantize", () => {
  it("moves no weight by more than half a step of its output, and transposes", () => {
    const matrix = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 15, maxLength: 15 });
    fc.assert(
      fc.property(matrix, (values) => {
        const { values: rounded, scales } = quantize(Float32Array.from(values), 5, new Float32Array(3).fill(1));
        for (let out = 0; out < 5; out++) {
          for (let input = 0; input < 3; input++) {
            const exact = Math.fround(values[out * 3 + input]!);
            assert.ok(Math.abs(rounded[input * 5 + out]! * scales[out]! - exact) <= scales[out]! * 0.5001);
          }
        }
      }),
    );
  });

  it("refuses what is not a number", () => {
    const broken = Float32Array.from([1, Number.NaN, 2, 3]);
    assert.throws(() => quantize(broken, 2, new Float32Array(2).fill(1)), { code: "MODEL_INVALID" });
  });
});

describe("SmoothQuant smoothing", () => {
  it("shares an outlier channel's excess between activations and weights, and leaves the others alone", () => {
    assert.deepEqual([...smoothingFactors([1, 1, 1, 100, 1], [2, 2, 2, 2, 2])], [1, 1, 1, Math.fround(0.1), 1]);
    assert.deepEqual([...smoothingFactors([1, 2, 3, 2, 1], [1, 9, 1, 9, 1])], [1, 1, 1, 1, 1]);
    assert.deepEqual([...smoothingFactors([0, 0, 0, 5], [1, 1, 1, 1])], [1, 1, 1, 1]);
  });

  it("gives more to small weights, but neither raises a channel nor damps it below the median one", () => {
    assert.deepEqual([...smoothingFactors([1, 1, 100, 1], [1, 1, 0.04, 1])], [1, 1, Math.fround(0.02), 1]);
    assert.deepEqual([...smoothingFactors([1, 1, 100, 1], [1, 1, 0, 1])], [1, 1, Math.fround(0.01), 1]);
    assert.deepEqual([...smoothingFactors([1, 1, 100, 1], [1, 1, 1e6, 1])], [1, 1, 1, 1]);
  });
});

describe("an int8 model", () => {
  for (const model of ["xlmr", "bert"]) {
    it(`${model}: gives a pair the very same score in any company`, async (t) => {
      useCache(t);
      await using reranker = await loadReranker(fixture(`models/${model}`), { device: "cpu", dtype: "int8" });
      assert.equal(reranker.info?.dtype, "int8");
      const together = await reranker.score("server file", PASSAGES);
      const alone = await Promise.all(PASSAGES.map((passage) => reranker.score("server file", [passage])));
      assert.deepEqual(alone.flat(), together);
    });

    it(`${model}: stays near float32`, async (t) => {
      useCache(t);
      const { checkpoint, tokenizer } = await open(fixture(`models/${model}`));
      const exact = await logits(fp32Graph(checkpoint, false), tokenizer);
      const rounded = await logits(
        await int8Graph(checkpoint, () => observe(checkpoint, tokenizer), assert.fail),
        tokenizer,
      );
      assert.ok(error(rounded, exact) < 0.2 * spread(exact), `${error(rounded, exact)} of ${spread(exact)}`);
    });
  }

  it("of a half-precision checkpoint is made in memory where no cache can be written", async (t) => {
    useCache(t);
    const score = async () => {
      const reranker = await loadReranker("mini", { device: "cpu", dtype: "int8", worker: false });
      const logits = await reranker.score("How do I restore a backup?", ["Open the app and choose Restore.", "cats"]);
      await reranker.dispose();
      return logits;
    };
    const kept = await score();
    process.env.BGE_RERANKER_CACHE = fixture("pairs.json");
    assert.deepEqual(await score(), kept);
  });

  it("survives outlier channels, which would take the 8 bits from all others", async (t) => {
    useCache(t);
    const folder = editModel(t, "xlmr", { tensors: addOutliers });
    const { checkpoint, tokenizer } = await open(folder);
    const exact = await logits(fp32Graph(checkpoint, false), tokenizer);
    const smoothed = await logits(
      await int8Graph(checkpoint, () => observe(checkpoint, tokenizer), assert.fail),
      tokenizer,
    );
    process.env.BGE_RERANKER_CACHE = temporaryFolder(t);
    const naive = await logits(await int8Graph(checkpoint, async () => noOutliers(checkpoint), assert.fail), tokenizer);
    const [ours, without] = [error(smoothed, exact), error(naive, exact)];
    assert.ok(ours < 0.5 * without, `smoothed ${ours}, without ${without}`);
    assert.ok(ours < 0.15 * spread(exact), `${ours} of ${spread(exact)}`);
  });
});

describe("the user hears of a model that int8 is too coarse for", () => {
  async function warnings(model: string): Promise<string[]> {
    const spec = { files: await resolveModel(model), device: "cpu", dtype: "int8" } as const;
    const { session, warnings } = await loadModel(spec);
    await session.release();
    return warnings;
  }

  it("two outlier channels of sixty times in every normalization: a warning at each load", async (t) => {
    useCache(t);
    for (const base of ["xlmr", "bert"] as const) {
      const folder = editModel(t, base, {
        tensors: (tensors) => {
          for (const [name, { bytes }] of tensors) {
            const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
            if (/LayerNorm\.(weight|bias)$/.test(name)) for (const c of [3, 17]) values[c]! *= 60;
          }
        },
      });
      for (const _ of ["made", "found again"]) {
        assert.match((await warnings(folder)).join(), /int8 is coarse for this model.*use dtype fp32/);
      }
    }
  });

  it("and not of others", async (t) => {
    useCache(t);
    for (const model of [fixture("models/xlmr"), fixture("models/bert"), "mini"]) {
      assert.deepEqual(await warnings(model), []);
    }
  });
});

/** Four channels after every normalization forty times larger, and what reads them as much less sensitive. */
function addOutliers(tensors: Tensors): void {
  const channels = [3, 17, 40, 41];
  for (const [name, { bytes, shape }] of tensors) {
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    if (/LayerNorm\.(weight|bias)$/.test(name)) for (const c of channels) values[c]! *= 40;
    if (/(query|key|value|intermediate\.dense)\.weight$/.test(name)) {
      for (let row = 0; row < shape[0]!; row++) for (const c of channels) values[row * shape[1]! + c]! /= 40;
    }
  }
}

async function open(folder: string): Promise<{ checkpoint: Checkpoint; tokenizer: PairTokenizer }> {
  return { checkpoint: await checkpointOf(folder), tokenizer: await openTokenizer(folder) };
}

async function observe(checkpoint: Checkpoint, tokenizer: PairTokenizer): Promise<Activations> {
  const session = await createSession(calibrationGraph(checkpoint), CPU);
  const activations = await observeActivations(session, sampleBatches(tokenizer, 128));
  await session.release();
  return activations;
}

/** What a model without any outlier would show, so that no channel is smoothed. */
function noOutliers({ network }: Checkpoint): Activations {
  const layers = [...int8Layout(network).layers].map(([name, { values, tensors }]) => {
    const inputs = tensors.get(values)!.shape[0]!;
    return [name, new Float32Array(inputs).fill(1)] as const;
  });
  return new Map(layers);
}

async function logits(model: GraphModel, tokenizer: PairTokenizer): Promise<number[]> {
  const session = await createSession(model, CPU);
  const out: number[] = [];
  for (const passage of PASSAGES) {
    const pair = tokenizer.pair(tokenizer.encode("server file"), tokenizer.encode(passage), 128);
    out.push(...Array.from(await session.run(makeBatch([pair], tokenizer.padId))));
  }
  await session.release();
  return out;
}

function error(a: number[], b: number[]): number {
  return Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0) / a.length);
}

function spread(values: number[]): number {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return error(
    values,
    values.map(() => mean),
  );
}
