import assert from "node:assert/strict";
import { test } from "node:test";
import { tryDevices } from "../../src/cli/try-devices.js";
import type { Machine } from "../../src/runtime/machine.js";
import type { Device } from "../../src/types.js";

const files = {
  model: "mini",
  revision: undefined,
  paths: {},
  config: {},
  weights: { kind: "onnx", graph: "" },
} as const;
const linux = (noGpu?: string): Machine => ({ platform: "linux", arch: "x64", noGpu });

/** Tries devices of a machine on which only `works` do, and keeps the order of the attempts. */
async function trials(wanted: Device, machine: Machine, works: Record<string, string>) {
  const attempted: string[] = [];
  const found = await tryDevices(files, wanted, machine, async (_files, { name, index }) => {
    attempted.push(`${name}:${index}`);
    if (works[name]) return works[name];
    throw new Error(`no ${name}`);
  });
  return { attempted, found };
}

test("auto: every device, best first, one after the other, also after one that works", async () => {
  assert.deepEqual(await trials("auto", linux(), { webgpu: "fp16", cpu: "fp32" }), {
    attempted: ["cuda:0", "webgpu:0", "cpu:0"],
    found: [
      { device: "cuda", outcome: "failed", reason: "no cuda" },
      { device: "webgpu", outcome: "works", dtype: "fp16" },
      { device: "cpu", outcome: "works", dtype: "fp32" },
    ],
  });
});

test("auto without a GPU: GPUs are passed over, not tried", async () => {
  assert.deepEqual(await trials("auto", linux("no GPU was found"), { cuda: "fp16", cpu: "fp32" }), {
    attempted: ["cpu:0"],
    found: [
      { device: "cuda", outcome: "passed over", reason: "no GPU was found" },
      { device: "webgpu", outcome: "passed over", reason: "no GPU was found" },
      { device: "cpu", outcome: "works", dtype: "fp32" },
    ],
  });
});

test("a device by name is tried even where no GPU was found", async () => {
  const { attempted, found } = await trials("cuda:1", linux("no GPU was found"), {});
  assert.deepEqual(attempted, ["cuda:1"]);
  assert.deepEqual(found, [{ device: "cuda:1", outcome: "failed", reason: "no cuda" }]);
});
