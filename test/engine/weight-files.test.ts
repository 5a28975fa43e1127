import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { loadModel } from "../../src/engine/load.js";
import { resolveModel } from "../../src/engine/resolve-model.js";
import type { OpenSession } from "../../src/runtime/session.js";
import { editModel, useOwnCache } from "../support/checkpoint.js";
import { failsWith } from "../support/errors.js";

useOwnCache();

const open: OpenSession = async () => ({ run: async ({ rows }) => Array(rows).fill(0), release: async () => {} });

async function load(t: TestContext) {
  const folder = editModel(t, "bert", {});
  const spec = { files: await resolveModel(folder), device: "cpu", dtype: "fp32" } as const;
  const model = await loadModel(spec, { first: open, next: async () => open });
  return { model, weights: join(folder, "model.safetensors") };
}

describe("a model's weights after the load", () => {
  const changes: Record<string, (weights: string) => void> = {
    "cut off": (weights) => truncateSync(weights, 1000),
    overwritten: (weights) => writeFileSync(weights, readFileSync(weights)),
    "overwritten, with size and time as before": (weights) => {
      const { atime, mtime } = statSync(weights);
      writeFileSync(weights, readFileSync(weights).fill(1, 50_000));
      utimesSync(weights, atime, mtime);
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`are checked at each call: ${what}`, async (t) => {
      const { model, weights } = await load(t);
      model.checkFiles();
      change(weights);
      assert.throws(() => model.checkFiles(), failsWith("MODEL_INVALID", weights, "renaming"));
    });
  }

  it("may be linked to, or get other rights", async (t) => {
    const { model, weights } = await load(t);
    linkSync(weights, `${weights}.link`);
    chmodSync(weights, 0o400);
    model.checkFiles();
    await model.openAnother!(assert.fail);
  });

  it("may be replaced or removed; then no further session is opened from them", async (t) => {
    for (const replace of [
      (weights: string) => {
        copyFileSync(weights, `${weights}.new`);
        renameSync(`${weights}.new`, weights);
      },
      (weights: string) => rmSync(weights),
    ]) {
      const { model, weights } = await load(t);
      replace(weights);
      model.checkFiles();
      await assert.rejects(model.openAnother!(assert.fail), failsWith("MODEL_INVALID", "replaced"));
    }
  });

  it("are refused when they change while they are being loaded", async (t) => {
    const folder = editModel(t, "bert", {});
    const spec = { files: await resolveModel(folder), device: "cpu", dtype: "fp32" } as const;
    const slow: OpenSession = async (...args) => {
      writeFileSync(join(folder, "model.safetensors"), readFileSync(join(folder, "model.safetensors")));
      return open(...args);
    };
    await assert.rejects(loadModel(spec, { first: slow }), failsWith("MODEL_INVALID", "overwritten"));
  });
});
