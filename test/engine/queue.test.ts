import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Queue } from "../../src/engine/queue.js";
import type { QueueEntry } from "../../src/engine/queued-request.js";
import type { TokenizePassage } from "../../src/engine/tokenize-passage.js";

/** A queue of requests whose passages have pairs of given lengths. */
class TestQueue {
  readonly queue: Queue;
  /** Passages tokenized so far, by request. */
  readonly tokenized = new Map<number, number>();
  readonly failures = new Map<number, unknown>();

  /** @param onTokenize called before each passage is tokenized; may throw */
  constructor(onTokenize: (id: number) => void = () => {}) {
    const tokenize: TokenizePassage = ({ passages }, index) => {
      const [id, length, windows] = passages[index]!.split(" ").map(Number) as [number, number, number];
      onTokenize(id);
      this.tokenized.set(id, (this.tokenized.get(id) ?? 0) + 1);
      const pair = { ids: new Int32Array(length), firstSegment: 1 };
      return { pairs: Array.from({ length: windows }, (_, i) => ({ pair, span: [i, i + 1] })), truncated: false };
    };
    this.queue = new Queue(tokenize, (id, error) => this.failures.set(id, error));
  }

  /** @param windows of each passage */
  add(id: number, lengths: readonly number[], windows = 1): void {
    const passages = lengths.map((length) => `${id} ${length} ${windows}`);
    this.queue.add(id, { queries: ["q"], passages, maxLength: 512, overflow: "max-passage" });
  }

  /** Takes a batch and scores it. */
  run(budget: number, padded = true): QueueEntry[] {
    const batch = this.queue.take({ budget, padded, sessions: 1 });
    this.queue.score(batch, batch.map(lengthOf));
    return batch;
  }

  drain(budget: number, padded = true): QueueEntry[][] {
    const batches: QueueEntry[][] = [];
    while (this.queue.queued > 0) batches.push(this.run(budget, padded));
    return batches;
  }
}

const repeat = (count: number, length: number): number[] => new Array<number>(count).fill(length);
const lengthOf = (entry: QueueEntry): number => entry.pair.ids.length;

describe("Queue", () => {
  it("hands out every pair once, within the budget and of like lengths", () => {
    const lengths = fc.array(fc.integer({ min: 4, max: 600 }), { minLength: 1, maxLength: 60 });
    const requests = fc.array(lengths, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 5000 }), fc.boolean(), (all, budget, padded) => {
        const queue = new TestQueue();
        for (const [id, lengths] of all.entries()) queue.add(id, lengths);
        const seen: string[] = [];
        for (const batch of queue.drain(budget, padded)) {
          const longest = Math.max(...batch.map(lengthOf));
          const shortest = Math.min(...batch.map(lengthOf));
          assert.ok(batch.length > 0, "every batch gets on with the work");
          assert.ok(batch.length === 1 || batch.length * longest <= budget, "padding counts");
          assert.ok(padded ? shortest >= longest / 2 : shortest === longest);
          seen.push(...batch.map((item) => `${item.request.id}:${item.index}`));
        }
        const expected = all.flatMap((lengths, id) => lengths.map((_, index) => `${id}:${index}`));
        assert.deepEqual(seen.sort(), expected.sort());
      }),
    );
  });

  it("runs a pair that is longer than the budget by itself", () => {
    const queue = new TestQueue();
    queue.add(1, [512, 512]);
    assert.deepEqual(
      queue.drain(100).map((batch) => batch.length),
      [1, 1],
    );
  });

  it("sorts by length: mixed lengths take hardly more room than their tokens", () => {
    // lengths from 10 to 509 in an order without a pattern
    const lengths = Array.from({ length: 500 }, (_, i) => 10 + ((i * 263) % 500));
    const queue = new TestQueue();
    queue.add(1, lengths);
    const batches = queue.drain(1024);
    const room = batches.reduce((sum, batch) => sum + batch.length * Math.max(...batch.map(lengthOf)), 0);
    assert.ok(room < 1.1 * lengths.reduce((sum, length) => sum + length));
  });

  it("leaves each of several sessions its share", () => {
    const queue = new TestQueue();
    queue.add(1, repeat(20, 10));
    const sizes: number[] = [];
    const limits = { budget: 10_000, padded: true, sessions: 2 };
    while (queue.queue.queued > 0) sizes.push(queue.queue.take(limits).length);
    assert.deepEqual(sizes, [10, 5, 3, 1, 1]);
  });

  it("tokenizes ahead, but not everything", () => {
    const queue = new TestQueue();
    queue.add(1, repeat(100_000, 50));
    queue.add(2, repeat(3, 50));
    for (let i = 0; i < 4; i++) queue.run(1024);
    const tokenized = queue.tokenized.get(1)!;
    assert.ok(tokenized > 20 && tokenized < 2000, `${tokenized} of 100,000 were tokenized`);
  });

  it("tokenizes a slow text alone rather than keep a batch waiting", () => {
    const queue = new TestQueue(() => {
      for (const start = performance.now(); performance.now() - start < 15; );
    });
    queue.add(1, repeat(50, 20));
    queue.run(1024);
    const tokenized = queue.tokenized.get(1)!;
    assert.ok(tokenized >= 1 && tokenized <= 3, `${tokenized} texts of 15 ms each before the first batch`);
  });
});

describe("Queue shares batches between requests", () => {
  for (const padded of [true, false]) {
    it(`16 callers with 10 passages make as many batches as one with 160, ${padded ? "padded" : "equal lengths"}`, () => {
      const lengths = (id: number) => Array.from({ length: 10 }, (_, i) => 32 + 8 * ((id + i) % 4));
      const together = new TestQueue();
      together.add(
        0,
        [...Array(16).keys()].flatMap((id) => lengths(id)),
      );
      const apart = new TestQueue();
      for (let id = 0; id < 16; id++) apart.add(id, lengths(id));
      const [one, many] = [together.drain(1024, padded).length, apart.drain(1024, padded).length];
      assert.ok(many <= one + 1, `${many} batches instead of ${one}`);
    });
  }

  it("takes no pair of another request that is longer than the batch", () => {
    const queue = new TestQueue();
    queue.add(1, [100]);
    queue.add(2, [101, 99]);
    assert.deepEqual(queue.run(1000).map(lengthOf), [100, 99]);
    assert.deepEqual(queue.run(1000).map(lengthOf), [101]);
  });
});

describe("Queue holds many requests", () => {
  /** Milliseconds to run so many requests of one passage each. */
  function drained(count: number): number {
    const queue = new TestQueue();
    for (let id = 0; id < count; id++) queue.add(id, [20 + (id % 50)]);
    const start = performance.now();
    queue.drain(1024);
    return performance.now() - start;
  }

  it("at a cost that grows with their number, not with its square", () => {
    drained(1000);
    const [few, many] = [drained(2000), drained(16_000)];
    assert.ok(many < 24 * few, `${many} ms for eight times as many as took ${few} ms`);
  });
});

describe("Queue is fair", () => {
  it("a one-passage request waits for one batch at most, however long the queue is and whenever it comes", () => {
    fc.assert(
      fc.property(fc.nat(9), fc.integer({ min: 1, max: 4 }), fc.boolean(), (before, hugeOnes, padded) => {
        const queue = new TestQueue();
        for (let id = 0; id < hugeOnes; id++) queue.add(id, repeat(5000, 64 + id));
        for (let i = 0; i < before; i++) queue.run(1024, padded);
        queue.add(99, [12]);
        const next = [...queue.run(1024, padded), ...queue.run(1024, padded)];
        assert.ok(next.some((item) => item.request.id === 99));
      }),
      { numRuns: 50 },
    );
  });

  it("a one-passage request that comes alone gets the next batch, so the first session that is free", () => {
    for (let before = 0; before < 5; before++) {
      const queue = new TestQueue();
      queue.add(1, repeat(5000, 64));
      for (let i = 0; i < before; i++) queue.run(1024);
      queue.add(2, [12]);
      assert.equal(queue.run(1024)[0]!.request.id, 2);
    }
  });

  it("a one-passage request comes before the last passage of a larger one", () => {
    const queue = new TestQueue();
    queue.add(1, [30, 20]);
    queue.run(30, false);
    queue.add(2, [10]);
    assert.equal(queue.run(30, false)[0]!.request.id, 2);
  });

  it("a large request goes on while small ones keep coming", () => {
    const queue = new TestQueue();
    queue.add(0, repeat(200, 100));
    let scored = 0;
    for (let turn = 1; turn <= 60; turn++) {
      // shorter than the large one's pairs, which therefore cannot ride along
      queue.add(turn, repeat(2, 40));
      scored += queue.run(1000).filter((item) => item.request.id === 0).length;
    }
    assert.equal(scored, 200);
  });

  it("the oldest of several large requests is not overtaken", () => {
    const queue = new TestQueue();
    for (let id = 0; id < 3; id++) queue.add(id, repeat(100, 100 + id));
    const last = new Map<number, number>();
    for (const [turn, batch] of queue.drain(1000, false).entries()) {
      for (const { request } of batch) last.set(request.id, turn);
    }
    assert.equal(last.get(0), Math.min(...last.values()));
  });

  it("windows count: a passage cut into many is no small request", () => {
    const queue = new TestQueue();
    queue.add(1, [500], 400);
    queue.run(1024);
    queue.add(2, repeat(20, 500));
    const next = [...queue.run(1024), ...queue.run(1024)];
    assert.ok(next.some((item) => item.request.id === 2));
  });
});

describe("Queue forgets", () => {
  it("a removed request at once, and leaves the others", () => {
    const queue = new TestQueue();
    queue.add(1, repeat(100, 50));
    queue.add(2, repeat(30, 50));
    for (let i = 0; i < 3; i++) queue.run(200);
    queue.queue.remove(1);
    for (const batch of queue.drain(200)) for (const item of batch) assert.equal(item.request.id, 2);
    assert.deepEqual(queue.run(1000), []);
  });

  it("a request that fails while it is tokenized, without harm to the next", () => {
    const error = new Error("no tokens");
    const queue = new TestQueue((id) => {
      if (id === 1) throw error;
    });
    queue.add(1, repeat(5, 50));
    queue.add(2, [50]);
    const ids = queue.drain(1000).flatMap((batch) => batch.map(({ request }) => request.id));
    assert.deepEqual(ids, [2]);
    assert.deepEqual([...queue.failures], [[1, error]]);
  });

  it("the scores of a batch whose request has been removed", () => {
    const queue = new TestQueue();
    queue.add(1, repeat(10, 50));
    queue.add(2, repeat(10, 50));
    const batch = queue.queue.take({ budget: 1000, padded: true, sessions: 1 });
    assert.equal(batch.length, 20);
    queue.queue.remove(1);
    const touched = queue.queue.score(batch, batch.map(lengthOf));
    assert.deepEqual(
      touched.map(({ id, remaining }) => [id, remaining]),
      [[2, 0]],
    );
    assert.deepEqual(Array.from(touched[0]!.result().scores), repeat(10, 50));
  });
});
