import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { it } from "node:test";
import { promisify } from "node:util";

it("BgeReranker works with @langchain/core 0.3", async () => {
  const support = new URL("../support/", import.meta.url);
  const hooks = JSON.stringify(new URL("langchain-0.3-hooks.js", support));
  const register = `data:text/javascript,import { register } from "node:module"; register(${hooks});`;
  const script = new URL("langchain-0.3.js", support).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, "--import", register, script], {
    timeout: 60_000,
  });
  const { core, ...outcome } = JSON.parse(stdout);
  assert.match(core, /\/node_modules\/langchain-core-0\.3\//);
  assert.deepEqual(outcome, {
    sameBase: true,
    sameDocument: true,
    // sigmoid(3) and sigmoid(0)
    found: [
      ["d1", 1, "0.9526"],
      ["d2", 2, "0.5000"],
    ],
    chained: ["d0", "d1"],
    untouched: true,
    events: ["start BgeReranker red apple", "end d1,d2"],
  });
});
