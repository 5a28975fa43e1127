import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { RerankError, type RerankErrorCode } from "../../src/errors.js";
import type { RankOptions, Reranker, ScoreOptions, ScoreStats } from "../../src/types.js";

const QUERY = "How do I reset my password?";
const PASSAGES = [
  "Our office is closed on public holidays.",
  "To reset your password, open Settings and choose “I forgot my password”; do follow the link in the mail.",
  "Bananas grow in tropical climates.",
  "A password has at least twelve characters.",
];
const ANSWER = 1;

/**
 * What every reranker promises, whatever runs it: local, shared or remote.
 *
 * @param make A new reranker that has not been loaded. It has to find passage 1 most relevant, as any sane one does.
 * @param parts What to hold it to; less than everything for one that differs from another in little.
 */
export function describeReranker(
  name: string,
  make: () => Reranker | Promise<Reranker>,
  parts: readonly (keyof typeof PARTS)[] = Object.keys(PARTS) as (keyof typeof PARTS)[],
): void {
  describe(`${name} keeps the contract of Reranker`, () => {
    let reranker: Reranker;
    before(async () => {
      reranker = await make();
    });
    after(() => reranker.dispose());

    for (const part of parts) PARTS[part](() => reranker, make);
  });
}

const PARTS = {
  loading: describeLoading,
  scores: describeScores,
  stats: describeStats,
  options: describeOptions,
  blending: describeBlending,
  calibration: describeCalibration,
  rank: describeRank,
  refusals: describeRefusals,
  abort: describeAbort,
  timeout: describeTimeout,
  disposal: describeDisposal,
};

function describeLoading(reranker: () => Reranker): void {
  it("loads once, however many ask", async () => {
    await Promise.all([reranker().load(), reranker().load()]);
    const { info } = reranker();
    assert.ok(info, "info is there after the load");
    for (const fact of [info.model, info.architecture, info.device]) assert.ok(fact.length > 0);
    await reranker().load();
    assert.deepEqual(reranker().info, info);
  });
}

function describeScores(reranker: () => Reranker): void {
  it("scores in input order and finds the answer", async () => {
    const scores = await reranker().score(QUERY, PASSAGES);
    assert.equal(scores.length, PASSAGES.length);
    assert.ok(scores.every(Number.isFinite));
    assert.equal(scores.indexOf(Math.max(...scores)), ANSWER);
    const backwards = await reranker().score(QUERY, PASSAGES.toReversed());
    assertClose(backwards.toReversed(), scores);
  });

  it("gives a pair the same score by every way and in any company", async () => {
    const scores = await reranker().score(QUERY, PASSAGES);
    assertClose(await reranker().computeScore(PASSAGES.map((passage) => [QUERY, passage] as const)), scores);
    const alone = await Promise.all(PASSAGES.map((passage) => reranker().computeScore([QUERY, passage])));
    assertClose(alone, scores);
  });

  it("scores pairs of several queries", async () => {
    const other = "Where do bananas grow?";
    const [a, b, c] = await reranker().computeScore([
      [other, PASSAGES[2]!],
      [QUERY, PASSAGES[ANSWER]!],
      [other, PASSAGES[0]!],
    ]);
    assertClose([a!, c!], await reranker().score(other, [PASSAGES[2]!, PASSAGES[0]!]));
    assertClose([b!], await reranker().score(QUERY, [PASSAGES[ANSWER]!]));
    assert.ok(a! > c!);
  });

  it("normalizes with the sigmoid", async () => {
    const logits = await reranker().score(QUERY, PASSAGES);
    const normalized = await reranker().score(QUERY, PASSAGES, { normalize: true });
    assertClose(
      normalized,
      logits.map((logit) => 1 / (1 + Math.exp(-logit))),
    );
  });

  it("scores any string", async () => {
    const odd = ["", " ", "\n\t", "🙂👩‍👩‍👧", "重置密码", "\ud800 lone surrogate", "word ".repeat(10_000), "\u0000"];
    const scores = await reranker().score(QUERY, odd);
    assert.ok(scores.length === odd.length && scores.every(Number.isFinite));
    assert.ok(Number.isFinite(await reranker().computeScore(["", ""])));
  });

  it("answers empty lists with empty lists", async () => {
    assert.deepEqual(await reranker().score(QUERY, []), []);
    assert.deepEqual(await reranker().computeScore([]), []);
    assert.deepEqual(await reranker().rank(QUERY, []), []);
  });

  it("reports progress up to the total", async () => {
    const seen: [number, number][] = [];
    const passages = Array.from({ length: 40 }, (_, i) => `Passage ${i} about passwords`);
    await reranker().score(QUERY, passages, { onProgress: (done, total) => seen.push([done, total]) });
    assert.deepEqual(seen.at(-1), [40, 40]);
    for (const [place, [done, total]] of seen.entries()) {
      assert.equal(total, 40);
      assert.ok(done > (seen[place - 1]?.[0] ?? 0), "progress grows");
    }
  });

  it("takes arrays as they are when the call is made", async () => {
    const scores = await reranker().score(QUERY, PASSAGES);
    const passages = [...PASSAGES];
    const pairs = PASSAGES.map((passage): [string, string] => [QUERY, passage]);
    const calls = [
      reranker().score(QUERY, passages),
      reranker().computeScore(pairs),
      reranker().rank(QUERY, passages),
    ] as const;
    passages.reverse().push("one more");
    for (const pair of pairs) pair.reverse();
    pairs.pop();
    const [byScore, byPairs, ranked] = await Promise.all(calls);
    assertClose(byScore, scores);
    assertClose(byPairs, scores);
    assert.equal(ranked[0]!.document, PASSAGES[ANSWER]);
    assert.equal(ranked.length, PASSAGES.length);
  });

  it("keeps concurrent calls apart", async () => {
    const queries = [QUERY, "Where do bananas grow?", "When is the office closed?"];
    const alone: number[][] = [];
    for (const query of queries) alone.push(await reranker().score(query, PASSAGES));
    const together = await Promise.all(queries.map((query) => reranker().score(query, PASSAGES)));
    for (const [place, scores] of together.entries()) assertClose(scores, alone[place]!);
  });
}

function describeStats(reranker: () => Reranker): void {
  it("tells once what a call took", async () => {
    const { score, rank, computeScore } = callsOf(reranker());
    for (const call of [score, rank, computeScore]) {
      const seen: ScoreStats[] = [];
      const start = performance.now();
      await call({ onStats: (stats) => seen.push(stats) });
      const took = performance.now() - start;
      const [stats, ...more] = seen;
      assert.deepEqual(more, []);
      const { pairs, tokens, truncated, ...times } = stats!;
      assert.equal(pairs, PASSAGES.length);
      assert.ok(tokens === undefined || tokens > 10 * PASSAGES.length, `${tokens} tokens`);
      assert.ok(truncated === undefined || truncated === 0);
      assert.deepEqual(Object.keys(times).sort(), ["inferenceMs", "queueMs", "tokenizeMs"]);
      for (const time of Object.values(times)) assert.ok(time >= 0 && time <= took, `${time} of ${took} ms`);
      assert.ok(times.inferenceMs > 0);
    }
  });

  it("tells of an empty call too, and rejects with what onStats throws", async () => {
    let pairs: number | undefined;
    await reranker().score(QUERY, [], { onStats: (stats) => (pairs = stats.pairs) });
    assert.equal(pairs, 0);
    const error = new Error("no place for statistics");
    const onStats = () => {
      throw error;
    };
    await assert.rejects(reranker().score(QUERY, PASSAGES, { onStats }), (found) => found === error);
  });
}

/** The three calls on the same passages. */
function callsOf(reranker: Reranker) {
  const pairs = PASSAGES.map((passage) => [QUERY, passage] as const);
  return {
    score: (options: ScoreOptions) => reranker.score(QUERY, PASSAGES, options),
    rank: (options: RankOptions) => reranker.rank(QUERY, PASSAGES, options),
    computeScore: (options: ScoreOptions) => reranker.computeScore(pairs, options),
  };
}

function describeOptions(reranker: () => Reranker): void {
  it("takes the options as they are when the call is made", async () => {
    const { score, rank, computeScore } = callsOf(reranker());
    const logits = await score({});
    const [ranked, all] = [await rank({ topN: 1 }), await rank({})];
    for (const call of [score, computeScore]) {
      const options: ScoreOptions = { normalize: false };
      const scores = call(options);
      options.normalize = true;
      assertClose(await scores, logits);
    }
    const retrievalScores = PASSAGES.map(() => 0);
    const options: RankOptions = { topN: 1, retrievalScores };
    const call = rank(options);
    Object.assign(options, { topN: 3, normalize: false, scoreThreshold: 1000, retrievalWeight: 1 });
    retrievalScores.splice(0, 4, 9, 1, 2, 3);
    assert.deepEqual(await call, ranked);
    assert.deepEqual(await rank({ retrievalScores: PASSAGES.map(() => 0) }), all);
  });
}

function describeBlending(reranker: () => Reranker): void {
  it("blends the first stage's scores into the order, and returns the model's own scores", async () => {
    const { rank, score } = callsOf(reranker());
    const scores = await score({ normalize: true });
    const plain = (await rank({})).map(({ index }) => index);
    const retrievalScores = [30, 10, 40, 20];
    const order = async (options: RankOptions) => {
      const ranked = await rank({ retrievalScores, ...options });
      for (const { index, score } of ranked) assert.ok(Math.abs(score - scores[index]!) < 1e-4);
      return ranked.map(({ index }) => index);
    };
    assert.deepEqual(await order({ retrievalWeight: 0 }), plain);
    assert.deepEqual(await order({ retrievalWeight: 1 }), [2, 0, 3, 1]);
    assert.deepEqual(await order({ retrievalWeight: 1, topN: 2 }), [2, 0]);
    const middle = [...scores].sort((a, b) => a - b)[2]!;
    const kept = await order({ retrievalWeight: 1, scoreThreshold: middle });
    assert.deepEqual(
      kept,
      [2, 0, 3, 1].filter((index) => scores[index]! >= middle),
    );
  });

  it("refuses retrieval scores that do not belong to the documents", async () => {
    const { rank } = callsOf(reranker());
    for (const retrievalScores of [
      [1, 2, 3],
      [1, 2, 3, Number.NaN],
    ]) {
      await assert.rejects(rank({ retrievalScores }), hasCode("INPUT_INVALID"));
    }
    await assert.rejects(rank({ retrievalWeight: 0.5 }), hasCode("OPTION_INVALID"));
    await assert.rejects(rank({ retrievalScores: [1, 2, 3, 4], retrievalWeight: 2 }), hasCode("OPTION_INVALID"));
  });
}

function describeCalibration(reranker: () => Reranker): void {
  it("makes chances of logits by a calibration, and leaves the order alone", async () => {
    const { rank, score } = callsOf(reranker());
    const [logits, plain] = [await score({}), await rank({})];
    const calibration = { scale: 0.5, offset: -1 };
    const ranked = await rank({ calibration });
    assert.deepEqual(indexesOf(ranked), indexesOf(plain));
    for (const { index, score } of ranked) {
      assert.ok(Math.abs(score - 1 / (1 + Math.exp(1 - 0.5 * logits[index]!))) < 1e-4);
    }
    const saturated = await rank({ calibration: { scale: 1e6, offset: 1e9 } });
    assert.deepEqual(indexesOf(saturated), indexesOf(plain), "all scores are 1, and the order stays");
    const scoreThreshold = ranked[1]!.score;
    assert.equal((await rank({ calibration, scoreThreshold })).length, 2);
  });

  it("refuses a calibration that is none, is another model's, or goes with raw scores", async () => {
    const { rank } = callsOf(reranker());
    for (const calibration of [
      { scale: 0, offset: 0 },
      { scale: 1, offset: Number.NaN },
      {} as never,
      "nowhere.json",
    ]) {
      await assert.rejects(rank({ calibration }), hasCode("OPTION_INVALID"));
    }
    await assert.rejects(rank({ calibration: { scale: 1, offset: 0, model: "other" } }), hasCode("OPTION_INVALID"));
    await assert.rejects(rank({ calibration: { scale: 1, offset: 0 }, normalize: false }), hasCode("OPTION_INVALID"));
  });
}

const indexesOf = (ranked: readonly { index: number }[]) => ranked.map(({ index }) => index);

function describeTimeout(reranker: () => Reranker): void {
  const many = Array.from({ length: 300 }, (_, i) => `Passage ${i}: ${PASSAGES[i % PASSAGES.length]}`);

  it("ends a call that takes too long, and works on", async () => {
    await assert.rejects(reranker().score(QUERY, many, { timeout: 1 }), hasCode("TIMEOUT"));
    assert.equal((await reranker().score(QUERY, PASSAGES, { timeout: 60_000 })).length, PASSAGES.length);
  });

  it("goes with a signal, and whichever comes first decides", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    await assert.rejects(reranker().score(QUERY, many, { signal, timeout: 1 }), hasCode("TIMEOUT"));
    const call = reranker().score(QUERY, many, { signal, timeout: 60_000 });
    controller.abort();
    await assert.rejects(call, hasCode("ABORTED"));
  });
}

function describeRank(reranker: () => Reranker): void {
  it("ranks by descending score in (0, 1) and returns the very documents", async () => {
    const documents = PASSAGES.map((text, id) => ({ id, text }));
    const ranked = await reranker().rank(QUERY, documents);
    assert.equal(ranked.length, documents.length);
    assert.equal(ranked[0]!.index, ANSWER);
    for (const [place, { index, score, document }] of ranked.entries()) {
      assert.equal(document, documents[index]);
      assert.ok(score > 0 && score < 1);
      if (place > 0) assert.ok(score <= ranked[place - 1]!.score);
    }
    const scores = await reranker().score(QUERY, PASSAGES, { normalize: true });
    assertClose(
      ranked.map(({ score }) => score),
      ranked.map(({ index }) => scores[index]!),
    );
  });

  it("takes strings, topN and normalize: false", async () => {
    const [best, ...rest] = await reranker().rank(QUERY, PASSAGES, { topN: 1, normalize: false });
    assert.deepEqual(rest, []);
    assert.equal(best!.document, PASSAGES[ANSWER]);
    assertClose([best!.score], await reranker().score(QUERY, [PASSAGES[ANSWER]!]));
    assert.equal((await reranker().rank(QUERY, PASSAGES, { topN: 100 })).length, PASSAGES.length);
  });

  it("keeps what reaches the threshold, inclusively", async () => {
    const all = await reranker().rank(QUERY, PASSAGES);
    const kept = await reranker().rank(QUERY, PASSAGES, { scoreThreshold: all[1]!.score });
    assert.deepEqual(
      kept.map(({ index }) => index),
      all.filter(({ score }) => score >= all[1]!.score).map(({ index }) => index),
    );
    assert.deepEqual(await reranker().rank(QUERY, PASSAGES, { scoreThreshold: 2 }), []);
  });

  it("leaves equal documents in their order", async () => {
    const ranked = await reranker().rank(
      QUERY,
      Array.from({ length: 20 }, () => PASSAGES[0]!),
    );
    assert.deepEqual(
      ranked.map(({ index }) => index),
      [...Array(20).keys()],
    );
  });
}

function describeRefusals(reranker: () => Reranker): void {
  const refuses = (what: string, code: RerankErrorCode, call: (reranker: Reranker) => Promise<unknown>) =>
    it(`refuses ${what}`, () => assert.rejects(call(reranker()), hasCode(code)));
  // biome-ignore lint/suspicious/noExplicitAny: a caller without types can pass anything
  const wrong = (value: unknown): any => value;

  refuses("a query that is no string", "INPUT_INVALID", (r) => r.score(wrong(undefined), PASSAGES));
  refuses("passages that are no array", "INPUT_INVALID", (r) => r.score(QUERY, wrong("text")));
  refuses("a passage that is no string", "INPUT_INVALID", (r) => r.score(QUERY, ["a", wrong(null)]));
  refuses("a document without text", "INPUT_INVALID", (r) => r.rank(QUERY, [wrong({ pageContent: "a" })]));
  refuses("half a pair", "INPUT_INVALID", (r) => r.computeScore([wrong(["q"])]));
  refuses("an unknown option", "OPTION_INVALID", (r) => r.rank(QUERY, PASSAGES, wrong({ topK: 3 })));
  refuses("topN 0", "OPTION_INVALID", (r) => r.rank(QUERY, PASSAGES, { topN: 0 }));
  refuses("a threshold of NaN", "OPTION_INVALID", (r) => r.rank(QUERY, PASSAGES, { scoreThreshold: Number.NaN }));
  refuses("normalize that is no boolean", "OPTION_INVALID", (r) => r.score(QUERY, PASSAGES, { normalize: wrong(1) }));
  refuses("rank's options in score", "OPTION_INVALID", (r) => r.score(QUERY, PASSAGES, wrong({ topN: 1 })));
}

function describeAbort(reranker: () => Reranker): void {
  const many = Array.from({ length: 300 }, (_, i) => `Passage ${i}: ${PASSAGES[i % PASSAGES.length]}`);

  it("rejects at once when the signal has fired", async () => {
    const signal = AbortSignal.abort(new Error("too late"));
    for (const call of [
      reranker().score(QUERY, PASSAGES, { signal }),
      reranker().rank(QUERY, PASSAGES, { signal }),
      reranker().computeScore([QUERY, "a"], { signal }),
      reranker().load({ signal }),
    ]) {
      await assert.rejects(call, hasCode("ABORTED", signal.reason));
    }
  });

  it("stops a call under way and works on", async () => {
    const controller = new AbortController();
    const call = reranker().score(QUERY, many, { signal: controller.signal });
    controller.abort(new Error("changed my mind"));
    await assert.rejects(call, hasCode("ABORTED", controller.signal.reason));
    assert.equal((await reranker().score(QUERY, PASSAGES)).length, PASSAGES.length);
  });

  it("aborts one of two calls alone", async () => {
    const controller = new AbortController();
    const doomed = reranker().score(QUERY, many, { signal: controller.signal });
    const other = reranker().score(QUERY, PASSAGES);
    controller.abort();
    await assert.rejects(doomed, hasCode("ABORTED"));
    assert.equal((await other).length, PASSAGES.length);
  });
}

function describeDisposal(_: () => Reranker, make: () => Reranker | Promise<Reranker>): void {
  it("rejects with DISPOSED after dispose, which may be called twice", async () => {
    const reranker = await make();
    await reranker.score(QUERY, PASSAGES);
    await reranker.dispose();
    await reranker.dispose();
    for (const call of [reranker.score(QUERY, PASSAGES), reranker.rank(QUERY, PASSAGES), reranker.load()]) {
      await assert.rejects(call, hasCode("DISPOSED"));
    }
  });

  it("ends calls under way when disposed", async () => {
    const reranker = await make();
    const call = reranker.score(
      QUERY,
      Array.from({ length: 300 }, (_, i) => `Passage ${i} on passwords`),
    );
    const outcome = assert.rejects(call, hasCode("DISPOSED"));
    await reranker.dispose();
    await outcome;
  });

  it("disposes at the end of await using", async () => {
    const reranker = await make();
    {
      await using scoped = reranker;
      await scoped.load();
    }
    await assert.rejects(reranker.score(QUERY, PASSAGES), hasCode("DISPOSED"));
  });
}

function hasCode(code: RerankErrorCode, cause?: unknown) {
  return (error: unknown) => {
    assert.ok(error instanceof RerankError, String(error));
    assert.equal(error.code, code, error.message);
    if (cause !== undefined) assert.equal(error.cause, cause);
    return true;
  };
}

function assertClose(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [place, value] of actual.entries()) {
    assert.ok(Math.abs(value - expected[place]!) < 1e-4, `${value} is not close to ${expected[place]} at ${place}`);
  }
}
