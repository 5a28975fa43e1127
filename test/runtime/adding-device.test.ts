import assert from "node:assert/strict";
import { after, it } from "node:test";
import { loadModel } from "../../src/engine/load.js";
import { resolveModel } from "../../src/engine/resolve-model.js";
import { rerankerOptionChecks } from "../../src/rerankers/option-checks.js";
import { candidates, DEVICES, deviceLabel } from "../../src/runtime/devices.js";
import type { OpenSession } from "../../src/runtime/session.js";
import type { DeviceName } from "../../src/types.js";
import { useOwnCache } from "../support/checkpoint.js";
import { failsWith } from "../support/errors.js";
import { fixture } from "../support/paths.js";

useOwnCache();

/** What `DeviceName` would say as well. */
const npu = "npu" as DeviceName;

// The one row.
DEVICES[npu] = {
  where: "the moon",
  needs: "a rocket",
  auto: ["aix"],
  numbered: true,
  sessions: "numbers",
  dtypes: ["int8", "fp32"],
  autoDtypes: ["int8"],
  padded: true,
  batchTokens: () => 77,
};
after(() => delete DEVICES[npu]);

const works: OpenSession = async () => ({ run: async ({ rows }) => Array(rows).fill(0), release: async () => {} });

it("a device is one row: option, order of auto, format, budget, sessions and remedy follow it", async () => {
  assert.equal(rerankerOptionChecks.device("npu:2"), undefined);
  assert.match(rerankerOptionChecks.device("gpu") ?? "", /"npu"/);
  const tries = (platform: NodeJS.Platform) =>
    candidates("auto", { platform, arch: "ppc64", noGpu: undefined }).tries.map(deviceLabel);
  assert.deepEqual([tries("aix"), tries("linux")], [["cpu", "npu"], ["cpu"]]);

  const files = await resolveModel(fixture("models/bert"));
  const spec = { files, device: "npu:1" as DeviceName, dtype: "auto", workers: 3 } as const;
  const opened: string[] = [];
  const open: OpenSession = (model, device, options) => {
    opened.push(deviceLabel(device));
    return works(model, device, options);
  };
  const model = await loadModel({ ...spec, dtype: "fp32" }, { first: open, next: async () => open });
  await model.openAnother!(assert.fail);
  assert.deepEqual([model.info.device, model.info.dtype, model.batchTokens], ["npu:1", "fp32", 77]);
  assert.deepEqual([model.workers, model.padded, opened.at(-1)], [3, true, "npu:2"]);
  assert.equal((await loadModel(spec, { first: works })).info.dtype, "int8");

  const absent: OpenSession = () => Promise.reject(new Error("no rocket"));
  const refused = loadModel(spec, { first: absent });
  await assert.rejects(refused, failsWith("DEVICE_UNAVAILABLE", "npu is for the moon, and needs a rocket"));
});
