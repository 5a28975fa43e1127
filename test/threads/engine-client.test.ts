import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadReranker } from "../../src/rerankers/load.js";
import type { Reranker } from "../../src/types.js";
import { useOwnCache } from "../support/checkpoint.js";
import { failsWith } from "../support/errors.js";
import { ownTime } from "../support/own-time.js";
import { fixture } from "../support/paths.js";
import { workersRunning } from "../support/workers.js";

useOwnCache();

const BERT = fixture("models/bert");

function passages(count: number, words = 30): string[] {
  return Array.from({ length: count }, (_, i) => `process ${i} `.repeat(1 + ((i * 7) % words)));
}

/** The longest time in milliseconds that a chain of 5 ms timers had to wait while `work` ran, and how many ran. */
async function longestBlock(work: () => Promise<unknown>): Promise<{ block: number; timers: number }> {
  let [block, timers, running] = [0, 0, true];
  const chain = (since: number) => {
    const now = ownTime();
    block = Math.max(block, now - since - 5);
    timers++;
    if (running) setTimeout(chain, 5, now);
  };
  setTimeout(chain, 5, ownTime());
  await work();
  running = false;
  return { block, timers };
}

/** The same in the best of some tries: another process may take the machine, but not every time. */
async function assertFree(milliseconds: number, work: () => Promise<unknown>): Promise<void> {
  const blocks: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    const { block, timers } = await longestBlock(work);
    assert.ok(timers >= 10, "the work takes long enough to tell");
    if (block < milliseconds) return;
    blocks.push(Math.round(block));
  }
  assert.fail(`the event loop stood still for ${blocks.join(", ")} ms`);
}

describe("the event loop stays free", () => {
  it("while a model loads", async () => {
    await assertFree(50, async () => {
      await (await loadReranker(BERT, { device: "cpu" })).dispose();
    });
  });

  it("while hundreds of pairs are scored", async () => {
    await using reranker = await loadReranker(BERT, { device: "cpu" });
    await assertFree(50, () => reranker.score("why did the server terminate", passages(200, 60)));
  });

  it("while a hundred megabytes of text are handed over", async () => {
    await using reranker = await loadReranker(fixture("models/xlmr"), { device: "cpu", maxLength: 16 });
    // the first character makes every character of the string take two bytes
    const book = `服 ${"the server process terminated unexpectedly ".repeat(2300)}`;
    const books = Array.from({ length: 500 }, (_, i) => `${i} ${book}`);
    await assertFree(50, () => reranker.score("q", books));
  });

  it("while tens of thousands of pairs with as many queries are handed over", async () => {
    await using reranker = await loadReranker(BERT, { device: "cpu", maxLength: 16 });
    const query = "why did the server process terminate ".repeat(6);
    const pairs = Array.from({ length: 40_000 }, (_, i): [string, string] => [`${i} ${query}`, "error"]);
    await assertFree(100, async () => {
      const controller = new AbortController();
      const call = reranker.computeScore(pairs, { signal: controller.signal, onProgress: () => controller.abort() });
      await assert.rejects(call, failsWith("ABORTED"));
    });
  });
});

describe("a full queue", () => {
  it("refuses passages and texts beyond its limit, and takes more when some are done", async () => {
    await using reranker = await loadReranker(BERT, { device: "cpu" });
    const controller = new AbortController();
    const { signal } = controller;
    const refused = failsWith("OVERLOADED", "queue is full", "fewer passages");
    const megabyte = "error ".repeat(2 ** 20 / 6);
    await assert.rejects(reranker.score("q", new Array<string>(257).fill(megabyte)), refused);
    await assert.rejects(reranker.score(megabyte.repeat(257), ["a"]), refused);
    await assert.rejects(reranker.score("q", new Array<string>(1_000_001).fill("")), refused);
    const waiting = reranker.score("q", new Array<string>(200).fill(megabyte), { signal });
    await assert.rejects(reranker.score("q", new Array<string>(60).fill(megabyte)), refused);
    controller.abort();
    await assert.rejects(waiting, failsWith("ABORTED"));
    assert.equal((await reranker.score("q", ["error"])).length, 1);
  });
});

for (const worker of [true, false]) {
  describe(worker ? "calls on a worker" : "calls without a worker", () => {
    let reranker: Reranker;
    before(async () => {
      reranker = await loadReranker(BERT, { device: "cpu", worker });
    });
    after(() => reranker.dispose());

    it("score a thousand passages, each in its place", async () => {
      const many = passages(1000, 6);
      const scores = await reranker.score("server", many);
      assert.ok(scores.length === 1000 && scores.every(Number.isFinite));
      const some = [0, 1, 499, 777, 999];
      const alone = await reranker.score(
        "server",
        some.map((i) => many[i]!),
      );
      for (const [place, i] of some.entries()) assert.ok(Math.abs(scores[i]! - alone[place]!) < 1e-5);
    });

    it("report progress that grows up to the total, several times", async () => {
      const seen: number[] = [];
      await reranker.score("server", passages(300), {
        onProgress: (done, total) => {
          assert.equal(total, 300);
          seen.push(done);
        },
      });
      assert.ok(seen.length > 3, "batch by batch");
      for (const [i, done] of seen.entries()) assert.ok(done > (seen[i - 1] ?? 0));
      assert.equal(seen.at(-1), 300);
    });

    it("fail alone when their onProgress throws", async () => {
      const error = new Error("the bar is broken");
      let calls = 0;
      const broken = reranker.score("server", passages(300), {
        onProgress: () => {
          calls++;
          throw error;
        },
      });
      const other = reranker.score("server", passages(300));
      await assert.rejects(broken, (found) => found === error);
      assert.equal((await other).length, 300);
      assert.equal(calls, 1);
    });

    it("may be aborted from their own onProgress", async () => {
      const controller = new AbortController();
      const reason = new Error("enough");
      const call = reranker.score("server", passages(300), {
        signal: controller.signal,
        onProgress: () => controller.abort(reason),
      });
      await assert.rejects(call, (error: Error) => failsWith("ABORTED")(error) && error.cause === reason);
      assert.equal((await reranker.score("server", ["error"])).length, 1);
    });

    it("leave nothing to do when they are aborted", async () => {
      const controller = new AbortController();
      let done = 0;
      const huge = reranker.score("server", passages(30_000), {
        signal: controller.signal,
        onProgress: (count) => (done = count),
      });
      const outcome = assert.rejects(huge, failsWith("ABORTED"));
      while (done === 0) await new Promise((resume) => setTimeout(resume, 5));
      controller.abort();
      await outcome;
      const reached = done;
      await reranker.score("server", passages(10));
      const threads = worker ? workersRunning() : [{ performance }];
      const starts = threads.map((thread) => thread.performance.eventLoopUtilization());
      await new Promise((resume) => setTimeout(resume, 100));
      for (const [i, thread] of threads.entries()) {
        const { utilization } = thread.performance.eventLoopUtilization(starts[i]);
        assert.ok(utilization < 0.5, `thread ${i} was at work for ${utilization} of the time`);
      }
      assert.equal(done, reached, "no progress after the abort");
      assert.ok(done < 20_000);
    });

    it("leave nothing on a signal that many of them use", async () => {
      const controller = new AbortController();
      const warnings: Error[] = [];
      const listen = (warning: Error) => warnings.push(warning);
      process.on("warning", listen);
      for (let i = 0; i < 30; i++) await reranker.score("server", ["error"], { signal: controller.signal });
      await new Promise((resume) => setImmediate(resume));
      process.off("warning", listen);
      assert.deepEqual(warnings, []);
    });

    it("take an abort at whatever step they are", async () => {
      for (let steps = 0; steps < 12; steps++) {
        const controller = new AbortController();
        const call = reranker.score("server", passages(200), { signal: controller.signal });
        for (let step = 0; step < steps; step++) await undefined;
        controller.abort();
        await assert.rejects(call, failsWith("ABORTED"));
      }
    });

    it("answer many callers at once, each with its own", async () => {
      const alone = await reranker.score("server", passages(40));
      const calls = Array.from({ length: 40 }, (_, i) => reranker.score("server", [passages(40)[i]!]));
      for (const [i, [score]] of (await Promise.all(calls)).entries()) assert.ok(Math.abs(score! - alone[i]!) < 1e-5);
    });
  });
}
