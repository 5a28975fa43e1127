import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, it } from "node:test";
import { loadReranker } from "../../src/rerankers/load.js";
import { SessionThread } from "../../src/threads/thread-pool.js";
import { useOwnCache } from "../support/checkpoint.js";
import { failsWith } from "../support/errors.js";
import { fixture } from "../support/paths.js";
import { THREADS, workersRunning } from "../support/workers.js";

useOwnCache();

const BERT = fixture("models/bert");
const load = () => loadReranker(BERT, { device: "cpu" });
const many = Array.from({ length: 500 }, (_, i) => `process ${i} `.repeat(30));

/** Ends a thread without a word: the engine's from outside, a session's by an error of its own. */
async function kill(thread: "session" | "engine"): Promise<void> {
  const worker = workersRunning().find((worker) => worker instanceof SessionThread === (thread === "session"))!;
  if (thread === "engine") return void (await worker.terminate());
  // To end it from outside in the middle of native code would, now and then, end the whole process.
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  worker.ref();
  worker.postMessage("no port");
  await ended;
}

for (const thread of ["engine", "session"] as const)
  describe(`a thread that dies, the ${thread}'s:`, () => {
    it("fails the calls under way with a clear error; the next call loads anew", async () => {
      const reranker = await load();
      const [before] = await reranker.score("server", ["error"]);
      let ready = () => {};
      const under = new Promise<void>((resolve) => {
        ready = resolve;
      });
      const calls = [
        reranker.score("server", many, { onProgress: () => ready() }),
        reranker.score("other", many),
        reranker.computeScore(["a", "b"]),
      ];
      const outcomes = Promise.allSettled(calls);
      await under;
      await kill(thread);
      const failed = (await outcomes).filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
      assert.ok(failed.length >= 2);
      for (const { reason } of failed) failsWith("DEVICE_UNAVAILABLE", "thread ended unexpectedly")(reason);
      assert.equal((await reranker.score("server", ["error"]))[0], before);
      assert.equal(workersRunning().length, THREADS);
      await reranker.dispose();
      assert.equal(workersRunning().length, 0);
    });

    it("between calls is noticed by the next one, which loads anew", async () => {
      const reranker = await load();
      await kill(thread);
      assert.equal((await reranker.score("server", ["error"])).length, 1);
      await reranker.dispose();
    });

    it("while it loads fails the load; the next one works", async () => {
      const loading = load();
      const outcome = assert.rejects(loading, failsWith("DEVICE_UNAVAILABLE", "thread ended unexpectedly"));
      while (workersRunning().length < THREADS) await new Promise((resume) => setTimeout(resume, 1));
      await kill(thread);
      await outcome;
      await (await load()).dispose();
    });

    it("after dispose was called is no error", async () => {
      const reranker = await load();
      const disposed = reranker.dispose();
      await kill(thread);
      await disposed;
    });
  });

describe("several sessions", () => {
  for (const dtype of ["fp32", "int8"] as const) {
    it(`${dtype}: give the scores that one gives, to the last bit`, async () => {
      const [one, several] = await Promise.all([
        loadReranker(BERT, { device: "cpu", dtype, workers: 1 }),
        loadReranker(BERT, { device: "cpu", dtype, workers: 3 }),
      ]);
      const some = many.slice(0, 200);
      const wanted = await one.score("server", some);
      await one.dispose();
      for (let round = 0; workersRunning().length < THREADS + 3; round++) {
        assert.ok(round < 100, `${workersRunning().length} threads`);
        assert.deepEqual(await several.score("server", some), wanted);
      }
      assert.deepEqual(await several.score("server", some), wanted);
      await several.dispose();
      assert.equal(workersRunning().length, 0);
    });
  }
});

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
  errors: string;
}

/** Runs a script that has `reranker` and `many`, in a process of its own, to its natural end. */
async function run(script: string, nodeOptions: string[] = []): Promise<Ended> {
  const module = new URL("../../src/index.js", import.meta.url).href;
  const source = `
    import { loadReranker, sharedReranker } from ${JSON.stringify(module)};
    const model = ${JSON.stringify(BERT)};
    const many = Array.from({ length: 500 }, (_, i) => ("process " + i + " ").repeat(30));
    ${script}`;
  const child = spawn(process.execPath, [...nodeOptions, "--input-type=module", "-e", source], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 120_000,
  });
  const ended: Ended = { code: null, signal: null, output: "", errors: "" };
  child.stdout.on("data", (data) => (ended.output += data));
  child.stderr.on("data", (data) => (ended.errors += data));
  await new Promise<void>((done) =>
    child.on("close", (code, signal) => {
      Object.assign(ended, { code, signal });
      done();
    }),
  );
  return ended;
}

async function endsWell(script: string, output: string): Promise<void> {
  const ended = await run(script);
  assert.deepEqual(ended, { code: 0, signal: null, output, errors: "" });
}

describe("a process", () => {
  it("ends by itself when its reranker is idle, without dispose", async () => {
    await endsWell(
      `for (const worker of [true, false]) {
        const reranker = await loadReranker(model, { device: "cpu", worker });
        const scores = await reranker.score("server", ["error", "process"]);
        console.log(scores.length);
      }`,
      "2\n2\n",
    );
  });

  it("stays until its calls are answered, even when nobody waits for the load", async () => {
    await endsWell(
      `sharedReranker(model, { device: "cpu" }).score("server", many.slice(0, 300)).then((scores) => console.log(scores.length));`,
      "300\n",
    );
  });

  it("ends after an abort, and after dispose in the middle of a call", async () => {
    await endsWell(
      `const reranker = await loadReranker(model, { device: "cpu" });
      const controller = new AbortController();
      const call = reranker.score("server", many, { signal: controller.signal, onProgress: () => controller.abort() });
      await call.catch((error) => console.log(error.code));
      const next = reranker.score("server", many, { onProgress: () => reranker.dispose() });
      await next.catch((error) => console.log(error.code));`,
      "ABORTED\nDISPOSED\n",
    );
  });

  it("waits for a dispose in the middle of a call", async () => {
    await endsWell(
      `const reranker = await loadReranker(model, { device: "cpu" });
      let call;
      await new Promise((resume) => {
        call = reranker.score("server", many, { onProgress: resume }).catch((error) => console.log(error.code));
      });
      await reranker.dispose();
      await call;
      console.log("disposed");`,
      "DISPOSED\ndisposed\n",
    );
  });

  it("may leave by process.exit in the middle of a call", async () => {
    await endsWell(
      `const reranker = await loadReranker(model, { device: "cpu" });
      await reranker.score("server", many, { onProgress: () => { console.log("bye"); process.exit(0); } });`,
      "bye\n",
    );
  });
});
