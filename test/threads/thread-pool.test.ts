import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { loadReranker } from "../../src/rerankers/load.js";
import { SessionThread } from "../../src/threads/thread-pool.js";
import { useOwnCache } from "../support/checkpoint.js";
import { fixture } from "../support/paths.js";
import { enginesStarted, workersRunning, workersStarted } from "../support/workers.js";

useOwnCache();

const load = () => loadReranker(fixture("models/bert"), { device: "cpu", workers: 1 });
const sessionThreads = () => workersStarted.filter((worker) => worker instanceof SessionThread);

describe("the threads of sessions", () => {
  it("serve one model after the other, and each of several at the same time has its own", async () => {
    for (let i = 0; i < 3; i++) {
      await using reranker = await load();
      assert.equal((await reranker.score("server", ["error"])).length, 1);
    }
    assert.deepEqual([sessionThreads().length, enginesStarted(), workersRunning().length], [1, 3, 0]);
    const rerankers = await Promise.all([load(), load()]);
    assert.equal(sessionThreads().length, 2);
    for (const reranker of rerankers) await reranker.dispose();
    assert.equal(workersRunning().length, 0);
  });

  it("may die while they wait; the next model gets a new one", async () => {
    await (await load()).dispose();
    const waiting = sessionThreads().filter(({ threadId }) => threadId !== -1);
    await Promise.all(waiting.map((thread) => thread.terminate()));
    await using reranker = await load();
    assert.equal((await reranker.score("server", ["error"])).length, 1);
  });

  it("end when they are not needed for a while", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    await (await load()).dispose();
    const left = sessionThreads().filter(({ threadId }) => threadId !== -1);
    assert.ok(left.length > 0);
    const waiting = setInterval(() => {}, 1000); // they do not keep a process alive
    const ended = Promise.all(left.map((thread) => once(thread, "exit")));
    t.mock.timers.tick(10_000);
    await ended;
    clearInterval(waiting);
    await using reranker = await load();
    assert.equal((await reranker.score("server", ["error"])).length, 1);
  });
});
