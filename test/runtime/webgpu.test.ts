import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadReranker } from "../../src/rerankers/load.js";
import type { Reranker } from "../../src/types.js";
import { useOwnCache } from "../support/checkpoint.js";
import { failsWith } from "../support/errors.js";
import { fixture } from "../support/paths.js";
import { referenceModels, referencePairs, references } from "../support/reference.js";
import { missingForWebGpu, SWIFTSHADER } from "../support/vulkan.js";

useOwnCache();

const driver = process.env.BGE_TEST_VULKAN_DRIVER ?? SWIFTSHADER;
const skip = process.env.BGE_TEST_WEBGPU === "1" ? undefined : missingForWebGpu(driver);

// Read when the first WebGPU session is made; this file has a process of its own.
process.env.VK_ICD_FILENAMES = driver;

const pairs = referencePairs();

/** Pairs of different lengths, the shortest and one of at least `longest` tokens among them: this GPU is slow. */
function choose(model: string, longest: number): { query: string; passage: string; logit: number; tokens: number }[] {
  const known = references(model);
  const all = pairs.map((pair, index) => ({ ...pair, ...known[index]! })).filter(({ maxLength }) => maxLength === 512);
  const sorted = all.sort((a, b) => a.tokens - b.tokens);
  const short = sorted.filter(({ tokens }) => tokens < longest / 2);
  const long = sorted.find(({ tokens }) => tokens >= longest)!;
  return [...short.filter((_, i) => i % Math.ceil(short.length / 4) === 0), long];
}

describe("WebGPU", { skip }, () => {
  // ONNX Runtime compiles its shaders again, for seconds here, whenever no session at all was left.
  let held: Reranker;
  before(async () => {
    held = await loadReranker(fixture("models/bert"), { device: "webgpu", dtype: "fp32" });
  });
  after(() => held.dispose());

  for (const [name, model] of referenceModels) {
    it(`gives ${name}'s PyTorch logits within 1e-3, mixed lengths in a batch`, async () => {
      const chosen = choose(name, 40);
      assert.ok(chosen.length > 4 && chosen[0]!.tokens < 10 && chosen.at(-1)!.tokens >= 40);
      await using reranker = await loadReranker(model, { device: "webgpu", dtype: "fp32" });
      assert.equal(reranker.info?.device, "webgpu");
      const scores = await reranker.computeScore(chosen.map(({ query, passage }) => [query, passage] as const));
      for (const [i, score] of scores.entries()) {
        const { logit, tokens } = chosen[i]!;
        assert.ok(Math.abs(score - logit) < 1e-3, `${score} for ${logit} at ${tokens} tokens`);
      }
    });
  }

  it("falls back from fp16 to fp32 with a warning where the GPU has no fp16, unless fp16 was asked for", async () => {
    const warnings: string[] = [];
    const listen = (warning: Error) => warnings.push(warning.message);
    process.on("warning", listen);
    await using reranker = await loadReranker(fixture("models/bert"), { device: "webgpu" });
    await new Promise((resume) => setImmediate(resume));
    process.off("warning", listen);
    if (reranker.info?.dtype === "fp16") return assert.deepEqual(warnings, []);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /webgpu in fp32.*fp16/);
    await reranker.dispose();
    const refused = loadReranker(fixture("models/bert"), { device: "webgpu", dtype: "fp16" });
    await assert.rejects(refused, failsWith("DEVICE_UNAVAILABLE", "fp16 on webgpu"));
  });

  it("is never taken by auto when the GPU is software", { skip: driver !== SWIFTSHADER }, async () => {
    await using reranker = await loadReranker(fixture("models/bert"), { device: "auto" });
    assert.equal(reranker.info?.device, "cpu");
  });

  it("has no second device", async () => {
    const refused = loadReranker(fixture("models/bert"), { device: "webgpu:1" });
    await assert.rejects(refused, failsWith("DEVICE_UNAVAILABLE", '"webgpu:1"', 'use "webgpu"'));
  });
});
