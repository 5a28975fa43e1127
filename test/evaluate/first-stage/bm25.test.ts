import assert from "node:assert/strict";
import { it } from "node:test";
import { Bm25 } from "../../../examples/support/bm25.js";
import { Best } from "../../../src/evaluate/first-stage/best.js";
import { bm25 } from "../../../src/evaluate/first-stage/bm25.js";
import { termsOf } from "../../../src/evaluate/first-stage/terms.js";
import { lcg } from "../support/lcg.js";

const random = lcg(5);
const words = (count: number) => Array.from({ length: count }, () => `w${random(1 + random(60))}`).join(" ");

it("finds what an index of all postings finds, with the same scores", async () => {
  const texts = Array.from({ length: 300 }, () => words(1 + random(40)));
  const queries = Array.from({ length: 30 }, () => words(1 + random(6)));
  async function* passages() {
    for (const [index, text] of texts.entries()) yield { id: String(index), text };
  }
  const found = await bm25(queries, passages, 20);
  const index = new Bm25(texts);
  for (const [number, query] of queries.entries()) {
    const expected = index.search(query, 20);
    assert.deepEqual(
      found[number]!.ids,
      expected.map((hit) => String(hit.index)),
    );
    for (const [rank, { score }] of expected.entries()) {
      assert.ok(Math.abs(found[number]!.scores[rank]! - score) < 1e-9);
    }
  }
});

it("heeds k1 and b, and finds nothing where no word is shared", async () => {
  async function* passages() {
    yield { id: "short", text: "sun sun" };
    yield { id: "long", text: "sun moon moon moon" };
  }
  const [flat, none] = await bm25(["sun", "stars"], passages, 5, { k1: 0, b: 0 });
  assert.equal(flat!.scores[0], flat!.scores[1]);
  assert.deepEqual(none, { ids: [], scores: [] });
});

it("splits words, and Chinese and Japanese into pairs of characters", () => {
  assert.deepEqual(termsOf("The cat's naïve ﬁle, 2nd"), ["the", "cat", "s", "naïve", "file", "2nd"]);
  assert.deepEqual(termsOf("我有GPU卡片 猫"), ["我有", "gpu", "卡片", "猫"]);
  assert.deepEqual(termsOf("データ処理 한국어"), ["デー", "ータ", "タ処", "処理", "한국어"]);
});

it("keeps the best of many, the first of equals", () => {
  const best = new Best(3);
  const scores = Array.from({ length: 500 }, () => random(50));
  for (const [index, score] of scores.entries()) best.add(String(index), score);
  const expected = scores.map((score, index) => ({ id: String(index), score }));
  expected.sort((a, b) => b.score - a.score || Number(a.id) - Number(b.id));
  assert.deepEqual(
    best.sorted().ids,
    expected.slice(0, 3).map(({ id }) => id),
  );
});
