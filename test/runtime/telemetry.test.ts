import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { disableTelemetry } from "../../src/runtime/telemetry.js";
import { cleanEnvironment } from "../support/cli.js";

const INDEX = fileURLToPath(new URL("../../src/index.js", import.meta.url));

describe("disableTelemetry", () => {
  for (const worker of [true, false]) {
    it(`leaves nothing of ONNX Runtime's telemetry in the user's home, with worker: ${worker}`, (t) => {
      // Without the variables by which it recognizes a CI machine, where it keeps quiet by itself.
      const env = cleanEnvironment(t);
      const code = `import { loadReranker } from ${JSON.stringify(INDEX)};
        const reranker = await loadReranker("mini", { device: "cpu", worker: ${worker} });
        await reranker.score("query", ["passage"]);
        await reranker.dispose();`;
      execFileSync(process.execPath, ["--input-type=module", "--eval", code], { env, stdio: "pipe" });
      assert.equal(existsSync(join(env.HOME!, ".cache", "Microsoft")), false);
    });
  }

  it("keeps what the user has set", () => {
    const env = { ORT_DISABLE_TELEMETRY: "0" };
    assert.equal(disableTelemetry(env, true), undefined);
    assert.equal(env.ORT_DISABLE_TELEMETRY, "0");
  });

  it("says what to do where the environment of the process is out of reach", () => {
    assert.match(disableTelemetry({}, false)!, /set ORT_DISABLE_TELEMETRY=1 in the environment of the process/);
  });
});
