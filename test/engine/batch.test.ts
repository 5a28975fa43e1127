import assert from "node:assert/strict";
import { after, before, describe, it, test } from "node:test";
import fc from "fast-check";
import { makeBatch } from "../../src/runtime/batch.js";
import type { Session } from "../../src/runtime/session.js";
import type { PairTokenizer } from "../../src/tokenizer/tokenizer.js";
import { useOwnCache } from "../support/checkpoint.js";
import { EngineRun, loadedModel, openSession, openTokenizer } from "../support/engine.js";
import { fixture } from "../support/paths.js";
import { referencePairs, references } from "../support/reference.js";

useOwnCache();

test("rows are padded on the right to the longest", () => {
  const pair = (ids: number[], firstSegment: number) => ({ ids: Int32Array.from(ids), firstSegment });
  const batch = makeBatch([pair([5, 6, 7], 2), pair([8], 1), pair([9, 10], 2)], 1);
  assert.deepEqual(
    { ...batch, ids: [...batch.ids] },
    {
      rows: 3,
      length: 3,
      ids: [5, 6, 7, 8, 1, 1, 9, 10, 1],
      lengths: [3, 1, 2],
      firstSegments: [2, 1, 2],
    },
  );
});

test("a batch of very many rows", () => {
  const pairs = Array.from({ length: 200_000 }, () => ({ ids: Int32Array.of(3, 4), firstSegment: 1 }));
  assert.equal(makeBatch(pairs, 0).ids.length, 400_000);
});

for (const name of ["xlmr", "bert"]) {
  describe(`a pair of ${name} scores the same in any company`, () => {
    const expected = references(name);
    // pairs of 5 to 200 tokens, the expected logits by PyTorch
    const chosen = referencePairs()
      .map((pair, index) => ({ ...pair, ...expected[index]! }))
      .filter(({ maxLength, tokens, query }) => maxLength === 512 && tokens < 200 && !/\p{Surrogate}|</u.test(query))
      .filter((_, index) => index % 4 === 0);
    let tokenizer: PairTokenizer;
    const sessions = new Map<boolean, Session>();
    const alone = new Map<boolean, number[]>();

    before(async () => {
      tokenizer = await openTokenizer(fixture(`models/${name}`));
      for (const padded of [false, true]) {
        const session = await openSession(fixture(`models/${name}`), padded);
        sessions.set(padded, session);
        const logits: number[] = [];
        for (const { query, passage } of chosen) {
          const pair = tokenizer.pair(tokenizer.encode(query), tokenizer.encode(passage), 512);
          logits.push((await session.run(makeBatch([pair], tokenizer.padId)))[0]!);
        }
        alone.set(padded, logits);
      }
    });
    after(async () => {
      for (const session of sessions.values()) await session.release();
    });

    it("alone it scores as in PyTorch, padded or not", () => {
      assert.ok(chosen.length >= 30);
      for (const logits of alone.values()) {
        for (const [index, logit] of logits.entries()) assert.ok(Math.abs(logit - chosen[index]!.logit) < 1e-4);
      }
    });

    for (const padded of [false, true]) {
      it(`${padded ? "mixed lengths, padded" : "equal lengths"}: within 1e-5`, async () => {
        const members = fc.array(fc.nat(chosen.length - 1), { minLength: 1, maxLength: 25 });
        const requests = fc.array(members, { minLength: 1, maxLength: 3 });
        await fc.assert(
          fc.asyncProperty(requests, fc.integer({ min: 1, max: 3000 }), async (groups, batchTokens) => {
            const session = sessions.get(padded)!;
            const run = new EngineRun(loadedModel({ session, tokenizer, padded, batchTokens }));
            await Promise.all(
              groups.map((group, id) => {
                const queries = group.map((index) => chosen[index]!.query);
                const passages = group.map((index) => chosen[index]!.passage);
                return run.submit(id, queries, passages, { queryOf: [...group.keys()] });
              }),
            );
            assert.equal(run.failures.size, 0);
            for (const [id, group] of groups.entries()) {
              for (const [place, index] of group.entries()) {
                const moved = Math.abs(run.logits.get(id)![place]! - alone.get(padded)![index]!);
                assert.ok(moved < 1e-5, `pair ${index} moved by ${moved}`);
              }
            }
          }),
          { numRuns: 25 },
        );
      });
    }
  });
}
