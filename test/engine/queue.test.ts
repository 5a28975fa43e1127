import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { RequestMeter } from "../../src/engine/meter.js";
import { type Item, Queue, type Request } from "../../src/engine/queue.js";

/** A request whose passages have pairs of these lengths; `tokenized` counts how far it has been read. */
function request(id: number, lengths: readonly number[], windows = 1): Request & { tokenized: number } {
  const made: Request & { tokenized: number } = {
    id,
    tokenized: 0,
    unread: lengths.length,
    waiting: [],
    remaining: lengths.length,
    size: lengths.length,
    best: new Map(),
    meter: new RequestMeter(lengths.length),
    next() {
      const index = made.tokenized;
      if (index >= lengths.length) return undefined;
      made.tokenized++;
      made.unread--;
      made.remaining += windows - 1;
      const pair = { ids: new Int32Array(lengths[index]!), firstSegment: 1 };
      return Array.from({ length: windows }, (_, i): Item => ({ request: made, index, pair, span: [i, i + 1] }));
    },
  };
  return made;
}

const repeat = (count: number, length: number): number[] => new Array<number>(count).fill(length);
const lengthOf = (item: Item): number => item.pair.ids.length;

/** Takes a batch as the engine does: what it holds has been scored, and a request without a rest is forgotten. */
function take(queue: Queue, budget: number, mixed: boolean): Item[] {
  const batch = queue.take(budget, mixed);
  for (const { request } of batch) if (--request.remaining === 0) queue.remove(request.id);
  return batch;
}

function drain(queue: Queue, budget: number, mixed: boolean): Item[][] {
  const batches: Item[][] = [];
  while (queue.untaken > 0) batches.push(take(queue, budget, mixed));
  return batches;
}

describe("Queue", () => {
  it("hands out every pair once, within the budget and of like lengths", () => {
    const lengths = fc.array(fc.integer({ min: 4, max: 600 }), { minLength: 1, maxLength: 60 });
    const requests = fc.array(lengths, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 5000 }), fc.boolean(), (all, budget, mixed) => {
        const queue = new Queue();
        for (const [id, lengths] of all.entries()) queue.add(request(id, lengths));
        const seen: string[] = [];
        for (const batch of drain(queue, budget, mixed)) {
          const longest = Math.max(...batch.map(lengthOf));
          const shortest = Math.min(...batch.map(lengthOf));
          assert.ok(batch.length > 0, "every batch gets on with the work");
          assert.ok(batch.length === 1 || batch.length * longest <= budget, "padding counts");
          assert.ok(mixed ? shortest >= longest / 2 : shortest === longest);
          seen.push(...batch.map((item) => `${item.request.id}:${item.index}`));
        }
        const expected = all.flatMap((lengths, id) => lengths.map((_, index) => `${id}:${index}`));
        assert.deepEqual(seen.sort(), expected.sort());
      }),
    );
  });

  it("runs a pair that is longer than the budget by itself", () => {
    const queue = new Queue();
    queue.add(request(1, [512, 512]));
    assert.deepEqual(
      drain(queue, 100, true).map((batch) => batch.length),
      [1, 1],
    );
  });

  it("sorts by length: mixed lengths take hardly more room than their tokens", () => {
    // lengths from 10 to 509 in an order without a pattern
    const lengths = Array.from({ length: 500 }, (_, i) => 10 + ((i * 263) % 500));
    const queue = new Queue();
    queue.add(request(1, lengths));
    const batches = drain(queue, 1024, true);
    const room = batches.reduce((sum, batch) => sum + batch.length * Math.max(...batch.map(lengthOf)), 0);
    assert.ok(room < 1.1 * lengths.reduce((sum, length) => sum + length));
  });

  it("leaves each of several sessions its share", () => {
    const queue = new Queue();
    queue.add(request(1, repeat(20, 10)));
    const sizes: number[] = [];
    while (queue.untaken > 0) sizes.push(queue.take(10_000, true, 2).length);
    assert.deepEqual(sizes, [10, 5, 3, 1, 1]);
  });

  it("tokenizes ahead, but not everything", () => {
    const queue = new Queue();
    const huge = request(1, repeat(100_000, 50));
    const small = request(2, repeat(3, 50));
    queue.add(huge);
    queue.add(small);
    for (let i = 0; i < 4; i++) take(queue, 1024, true);
    assert.ok(huge.tokenized > 20 && huge.tokenized < 2000, `${huge.tokenized} of 100,000 were tokenized`);
  });

  it("tokenizes a slow text alone rather than keep a batch waiting", () => {
    const queue = new Queue();
    const slow = request(1, repeat(50, 20));
    const next = slow.next;
    slow.next = () => {
      for (const start = performance.now(); performance.now() - start < 15; );
      return next();
    };
    queue.add(slow);
    take(queue, 1024, true);
    assert.ok(
      slow.tokenized >= 1 && slow.tokenized <= 3,
      `${slow.tokenized} texts of 15 ms each before the first batch`,
    );
  });
});

describe("Queue shares batches between requests", () => {
  for (const mixed of [true, false]) {
    it(`16 callers with 10 passages make as many batches as one with 160, ${mixed ? "mixed" : "equal lengths"}`, () => {
      const lengths = (id: number) => Array.from({ length: 10 }, (_, i) => 32 + 8 * ((id + i) % 4));
      const together = new Queue();
      together.add(
        request(
          0,
          [...Array(16).keys()].flatMap((id) => lengths(id)),
        ),
      );
      const apart = new Queue();
      for (let id = 0; id < 16; id++) apart.add(request(id, lengths(id)));
      const [one, many] = [drain(together, 1024, mixed).length, drain(apart, 1024, mixed).length];
      assert.ok(many <= one + 1, `${many} batches instead of ${one}`);
    });
  }

  it("takes no pair of another request that is longer than the batch", () => {
    const queue = new Queue();
    queue.add(request(1, [100]));
    queue.add(request(2, [101, 99]));
    assert.deepEqual(take(queue, 1000, true).map(lengthOf), [100, 99]);
    assert.deepEqual(take(queue, 1000, true).map(lengthOf), [101]);
  });
});

describe("Queue is fair", () => {
  it("a one-passage request waits for one batch at most, however long the queue is and whenever it comes", () => {
    fc.assert(
      fc.property(fc.nat(9), fc.integer({ min: 1, max: 4 }), fc.boolean(), (before, hugeOnes, mixed) => {
        const queue = new Queue();
        for (let id = 0; id < hugeOnes; id++) queue.add(request(id, repeat(5000, 64 + id)));
        for (let i = 0; i < before; i++) take(queue, 1024, mixed);
        queue.add(request(99, [12]));
        const next = [...take(queue, 1024, mixed), ...take(queue, 1024, mixed)];
        assert.ok(next.some((item) => item.request.id === 99));
      }),
      { numRuns: 50 },
    );
  });

  it("a one-passage request that comes alone gets the next batch, so the first session that is free", () => {
    for (let before = 0; before < 5; before++) {
      const queue = new Queue();
      queue.add(request(1, repeat(5000, 64)));
      for (let i = 0; i < before; i++) take(queue, 1024, true);
      queue.add(request(2, [12]));
      assert.equal(take(queue, 1024, true)[0]!.request.id, 2);
    }
  });

  it("a one-passage request comes before the last passage of a larger one", () => {
    const queue = new Queue();
    queue.add(request(1, [30, 20]));
    take(queue, 30, false);
    queue.add(request(2, [10]));
    assert.equal(take(queue, 30, false)[0]!.request.id, 2);
  });

  it("a large request goes on while small ones keep coming", () => {
    const queue = new Queue();
    queue.add(request(0, repeat(200, 100)));
    let scored = 0;
    for (let turn = 1; turn <= 60; turn++) {
      // shorter than the large one's pairs, which therefore cannot ride along
      queue.add(request(turn, repeat(2, 40)));
      scored += take(queue, 1000, true).filter((item) => item.request.id === 0).length;
    }
    assert.equal(scored, 200);
  });

  it("the oldest of several large requests is not overtaken", () => {
    const queue = new Queue();
    for (let id = 0; id < 3; id++) queue.add(request(id, repeat(100, 100 + id)));
    const last = new Map<number, number>();
    for (const [turn, batch] of drain(queue, 1000, false).entries()) {
      for (const { request } of batch) last.set(request.id, turn);
    }
    assert.equal(last.get(0), Math.min(...last.values()));
  });

  it("windows count: a passage cut into many is no small request", () => {
    const queue = new Queue();
    queue.add(request(1, [500], 400));
    take(queue, 1024, true);
    queue.add(request(2, repeat(20, 500)));
    const next = [...take(queue, 1024, true), ...take(queue, 1024, true)];
    assert.ok(next.some((item) => item.request.id === 2));
  });
});

describe("Queue forgets", () => {
  it("a removed request at once, and leaves the others", () => {
    const queue = new Queue();
    queue.add(request(1, repeat(100, 50)));
    queue.add(request(2, repeat(30, 50)));
    for (let i = 0; i < 3; i++) take(queue, 200, true);
    queue.remove(1);
    assert.ok(!queue.has(1) && queue.has(2));
    for (const batch of drain(queue, 200, true)) for (const item of batch) assert.equal(item.request.id, 2);
    assert.deepEqual(queue.take(1000, true), []);
  });

  it("a request that fails while it is tokenized, without harm to the next", () => {
    const queue = new Queue();
    const bad = request(1, repeat(5, 50));
    bad.next = () => {
      queue.remove(1);
      return undefined;
    };
    queue.add(bad);
    queue.add(request(2, [50]));
    const ids = drain(queue, 1000, true).flatMap((batch) => batch.map((item) => item.request.id));
    assert.deepEqual(ids, [2]);
  });
});
