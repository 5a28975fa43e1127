import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { resolveModel } from "../../src/engine/resolve-model.js";
import { sharedReranker } from "../../src/rerankers/shared.js";
import { PairTokenizer } from "../../src/tokenizer/tokenizer.js";
import type { Reranker } from "../../src/types.js";
import { useOwnCache } from "../support/checkpoint.js";
import { idsChecksum, type Reference, referenceModels, referencePairs, references } from "../support/reference.js";

useOwnCache();

const TOLERANCE = 1e-4;
const pairs = referencePairs();
const limits = [...new Set(pairs.map(({ maxLength }) => maxLength))];

/** All pairs' logits, each pair scored with its own `maxLength`; one model is loaded for all. */
async function scoreAll(model: string): Promise<number[]> {
  const logits: number[] = [];
  const rerankers: Reranker[] = [];
  for (const maxLength of limits) {
    const reranker = sharedReranker(model, { device: "cpu", dtype: "fp32", maxLength });
    rerankers.push(reranker);
    const indices = [...pairs.keys()].filter((index) => pairs[index]!.maxLength === maxLength);
    const scores = await reranker.computeScore(
      indices.map((index) => [pairs[index]!.query, pairs[index]!.passage] as const),
    );
    for (const [place, index] of indices.entries()) logits[index] = scores[place]!;
  }
  for (const reranker of rerankers) await reranker.dispose();
  return logits;
}

/** Tells whether a score is off because the tokens are. */
async function tokensAgree(model: string, index: number, expected: Reference): Promise<boolean> {
  const { paths } = await resolveModel(model);
  const tokenizer = PairTokenizer.create(
    readFileSync(paths["tokenizer.json"]!),
    readFileSync(paths["tokenizer_config.json"]!),
  );
  const { query, passage, maxLength } = pairs[index]!;
  const { ids } = tokenizer.pair(tokenizer.encode(query), tokenizer.encode(passage), maxLength);
  return idsChecksum(ids) === expected.crc32;
}

describe("fp32 logits equal PyTorch's", () => {
  it("on pairs of every kind", () => {
    assert.ok(pairs.length >= 200);
    assert.ok(limits.includes(512) && Math.min(...limits) <= 16);
    assert.ok(pairs.some(({ query, passage }) => query === "" && passage === ""));
    assert.ok(pairs.some(({ passage }) => passage.split(" ").length >= 10_000));
    assert.ok(pairs.some(({ passage }) => /\p{Emoji_Presentation}/u.test(passage)));
    assert.ok(pairs.some(({ query }) => /\p{Script=Han}/u.test(query)));
    assert.ok(pairs.some(({ query, passage }) => /\p{Surrogate}/u.test(query + passage)));
  });

  for (const [name, model] of referenceModels) {
    it(`with ${name}`, async () => {
      const expected = references(name);
      assert.equal(expected.length, pairs.length);
      const spread = new Set(expected.map(({ logit }) => logit.toFixed(2)));
      assert.ok(spread.size > 50, "a model that says the same of every pair proves nothing");
      const logits = await scoreAll(model);
      const off: string[] = [];
      for (const [index, logit] of logits.entries()) {
        const reference = expected[index]!;
        if (Math.abs(logit - reference.logit) < TOLERANCE) continue;
        const cause = (await tokensAgree(model, index, reference)) ? "the graph" : "other token ids";
        off.push(
          `pair ${index} by ${cause}: ${logit}, PyTorch ${reference.logit}: ${JSON.stringify(pairs[index]).slice(0, 200)}`,
        );
      }
      assert.deepEqual(off, []);
    });
  }
});
