import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { useOwnCache } from "../support/checkpoint.js";
import { fixture } from "../support/paths.js";

useOwnCache();

/**
 * Runs two scripts in a process of their own, to its natural end: one in the main thread, which has `worker` and
 * `next()`, its next message; the other in that worker, with `load`, `many` and `tell`.
 */
function run(main: string, worker: string) {
  const index = JSON.stringify(new URL("../../src/index.js", import.meta.url).href);
  const inWorker = `
    const { parentPort } = require("node:worker_threads");
    const tell = (message) => parentPort.postMessage(message);
    const many = Array.from({ length: 3000 }, (_, i) => ("process " + i + " ").repeat(30));
    (async () => {
      const { loadReranker } = await import(${index});
      const load = () => loadReranker(${JSON.stringify(fixture("models/bert"))}, { device: "cpu" });
      ${worker}
    })();`;
  const inMain = `
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    const worker = new Worker(${JSON.stringify(inWorker)}, { eval: true, execArgv: [] });
    const next = async () => (await once(worker, "message"))[0];
    ${main}`;
  const args = ["--input-type=module", "-e", inMain];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 120_000 });
  return { status, signal, stdout, stderr };
}

const ended = (status: number, stdout: string) => ({ status, signal: null, stdout, stderr: "" });

/** In the worker: scores for seconds, and tells when the first batch is done. */
const busy = `
  const reranker = await load();
  let told = false;
  await reranker.score("server", many, { onProgress: () => { if (!told) tell("busy"); told = true; } });`;

describe("an engine whose caller is in a worker thread", () => {
  it("scores, is disposed of, and keeps nothing alive when it is idle", () => {
    const script = `
      const reranker = await load();
      const all = await reranker.score("server", many.slice(0, 100));
      const aborted = reranker.score("server", many, { signal: AbortSignal.timeout(20) });
      await aborted.catch((error) => tell(error.code));
      const [again] = await reranker.score("server", [many[7]]);
      tell(Math.abs(again - all[7]) < 1e-5);
      await reranker.dispose();
      await reranker.score("server", ["error"]).catch((error) => tell(error.code));
      await (await load()).score("server", ["error"]);`;
    const main = `worker.on("message", (message) => console.log(message));`;
    assert.deepEqual(run(main, script), ended(0, "ABORTED\ntrue\nDISPOSED\n"));
  });

  for (const delay of [0, 10, 50]) {
    it(`lets that thread be terminated ${delay} ms into the scoring`, () => {
      const main = `
        await next();
        await new Promise((resume) => setTimeout(resume, ${delay}));
        await worker.terminate();
        console.log("terminated");`;
      assert.deepEqual(run(main, busy), ended(0, "terminated\n"));
    });
  }

  it("lets the process exit in the middle of the scoring", () => {
    assert.deepEqual(run("await next(); process.exit(7);", busy), ended(7, ""));
  });

  it("lets that thread exit by itself", () => {
    const script = busy.replace(`tell("busy")`, `process.exit(5)`);
    const main = `worker.once("exit", (code) => console.log("code", code));`;
    assert.deepEqual(run(main, script), ended(0, "code 5\n"));
  });

  it("tells of an engine that cannot be loaded", () => {
    const script = `
      await loadReranker("./no/such/model").catch((error) => tell(error.code));
      await loadReranker(${JSON.stringify(fixture("models/bert"))}, { device: "cuda:9" }).catch((error) => tell(error.code));`;
    const main = `worker.on("message", (message) => console.log(message));`;
    assert.deepEqual(run(main, script), ended(0, "MODEL_NOT_FOUND\nDEVICE_UNAVAILABLE\n"));
  });
});
