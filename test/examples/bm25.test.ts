import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Bm25, termsOf } from "../../examples/support/bm25.js";

describe("termsOf", () => {
  it("gives lower-case words and pairs of Chinese characters", () => {
    assert.deepEqual(termsOf("The Keep 4, E-214!"), ["the", "keep", "4", "e", "214"]);
    assert.deepEqual(termsOf("备份很慢"), ["备份", "份很", "很慢"]);
    assert.deepEqual(termsOf("用U盘启动"), ["用", "u", "盘启", "启动"]);
    assert.deepEqual(termsOf("…"), []);
  });
});

describe("Bm25", () => {
  it("scores as Okapi BM25 does", () => {
    const found = new Bm25(["a b", "a a c d", "e f g"]).search("a", 10);
    // By hand: idf = ln(1 + (3 - 2 + 0.5) / (2 + 0.5)), average length 3, k1 1.2, b 0.75
    const idf = Math.log(1.6);
    const expected = [
      { index: 1, score: (idf * 2 * 2.2) / (2 + 1.2 * (0.25 + (0.75 * 4) / 3)) },
      { index: 0, score: (idf * 1 * 2.2) / (1 + 1.2 * (0.25 + (0.75 * 2) / 3)) },
    ];
    assert.deepEqual(
      found.map(({ index }) => index),
      [1, 0],
    );
    for (const [place, { score }] of found.entries()) assert.ok(Math.abs(score - expected[place]!.score) < 1e-12);
  });

  it("returns only texts that share a term, at most `limit`, ties in order", () => {
    const index = new Bm25(["x", "y", "x", "x"]);
    assert.deepEqual(
      index.search("x", 2).map(({ index }) => index),
      [0, 2],
    );
    assert.deepEqual(index.search("z", 2), []);
    assert.deepEqual(new Bm25([]).search("x", 2), []);
  });

  it("counts a term of the query once, and rare terms for more", () => {
    const index = new Bm25(["rare common", "common common", "common other"]);
    assert.deepEqual(index.search("common common", 3), index.search("common", 3));
    assert.equal(index.search("common rare", 1)[0]!.index, 0);
  });

  it("finds Chinese text without spaces", () => {
    const [best] = new Bm25(["主机保修五年", "更换损坏的硬盘", "硬盘很大"]).search("如何更换硬盘", 3);
    assert.equal(best!.index, 1);
  });
});
