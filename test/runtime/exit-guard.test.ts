import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const INDEX = fileURLToPath(new URL("../../src/index.js", import.meta.url));

/** Runs a module in a process of its own. */
function run(code: string) {
  const script = `import { loadReranker, sharedReranker } from ${JSON.stringify(INDEX)};
    const model = "mini";
    const passages = Array.from({ length: 3000 }, (_, i) => "a passage of some length ".repeat(1 + (i % 40)));
    ${code}`;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8", timeout: 120_000 });
}

describe("process.exit", () => {
  for (const delay of [3, 60, 200]) {
    it(`leaves with its own code ${delay} ms into the scoring`, () => {
      const { status, signal, stderr } = run(`
        const reranker = await loadReranker(model, { device: "cpu" });
        reranker.score("query", passages).catch(() => {});
        setTimeout(() => process.exit(7), ${delay});`);
      assert.deepEqual([status, signal, stderr], [7, null, ""]);
    });
  }

  it("gives up a batch that takes too long, without an abort", () => {
    const guard = JSON.stringify(new URL("../../src/runtime/exit-guard.js", import.meta.url).href);
    const { signal, stderr } = run(`
      const { holdExit, newExitState } = await import(${guard});
      const state = newExitState();
      state[0] = 1; // for ever in native code
      holdExit(state);
      let now = 0;
      performance.now = () => (now += 20_000);
      process.exit(7);`);
    assert.deepEqual([signal, stderr], ["SIGKILL", ""]);
  });

  it("leaves with its own code while a model is loaded", () => {
    const { status, signal, stderr } = run(`
      sharedReranker(model, { device: "cpu" }).load();
      setTimeout(() => process.exit(7), 120);`);
    assert.deepEqual([status, signal, stderr], [7, null, ""]);
  });
});
