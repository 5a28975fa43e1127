import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { candidates, deviceFailure, deviceLabel, deviceNames, parseDevice, remedy } from "../../src/runtime/devices.js";
import { type Machine, thisMachine } from "../../src/runtime/machine.js";
import type { Device } from "../../src/types.js";

const machine = (platform: NodeJS.Platform, arch: string, noGpu?: string): Machine => ({ platform, arch, noGpu });

function order(device: Device, on: Machine): string[] {
  return candidates(device, on).tries.map(deviceLabel);
}

describe("auto tries", () => {
  it("the best device first, on every platform", () => {
    assert.deepEqual(order("auto", machine("linux", "x64")), ["cuda", "webgpu", "cpu"]);
    assert.deepEqual(order("auto", machine("win32", "x64")), ["dml", "webgpu", "cpu"]);
    assert.deepEqual(order("auto", machine("win32", "arm64")), ["dml", "webgpu", "cpu"]);
    assert.deepEqual(order("auto", machine("darwin", "arm64")), ["webgpu", "cpu"]);
    assert.deepEqual(order("auto", machine("darwin", "x64")), ["cpu"]);
    assert.deepEqual(order("auto", machine("linux", "arm64")), ["cpu"]);
  });

  it("no GPU where none can be there, and says why it was passed over", () => {
    const { tries, skipped } = candidates("auto", machine("linux", "x64", "no GPU was found"));
    assert.deepEqual(tries.map(deviceLabel), ["cpu"]);
    assert.deepEqual(
      skipped.map(([device, reason]) => `${deviceLabel(device)}: ${reason}`),
      ["cuda: no GPU was found", "webgpu: no GPU was found"],
    );
  });

  it("only what was named, even where it cannot be", () => {
    for (const device of ["cuda", "webgpu", "dml:1", "coreml", "cpu"] as const) {
      const { tries, skipped } = candidates(device, machine("linux", "x64", "no GPU was found"));
      assert.deepEqual(tries.map(deviceLabel), [device]);
      assert.deepEqual(skipped, []);
    }
  });
});

describe("device names", () => {
  it("carry a number for all but the first device", () => {
    assert.deepEqual(parseDevice("cuda:1"), { name: "cuda", index: 1 });
    assert.deepEqual(parseDevice("cuda"), { name: "cuda", index: 0 });
    assert.equal(deviceLabel({ name: "cuda", index: 1 }), "cuda:1");
    assert.equal(deviceLabel(parseDevice("webgpu:0")), "webgpu");
  });

  it("come with the first line of what went wrong there, and each with a remedy", () => {
    assert.equal(
      deviceFailure({ name: "dml", index: 2 }, new Error("no such adapter\n  at native")),
      "dml:2: no such adapter",
    );
    assert.equal(deviceFailure({ name: "cpu", index: 0 }, "odd"), "cpu: odd");
    for (const name of deviceNames()) assert.match(remedy({ name, index: 0 }), /is for .+, and needs /);
  });
});

describe("this machine", { skip: process.platform !== "linux" && "Vulkan drivers are looked at on Linux only" }, () => {
  function withDrivers(name: string, value: string): Machine {
    process.env[name] = value;
    try {
      return thisMachine();
    } finally {
      delete process.env[name];
    }
  }

  it("has no GPU when Vulkan's drivers are software", () => {
    for (const file of ["/usr/lib/chromium/vk_swiftshader_icd.json", "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"]) {
      for (const name of ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"]) {
        assert.match(withDrivers(name, file).noGpu ?? "", /software/);
      }
    }
  });

  it("has the platform and architecture of this process", () => {
    const { platform, arch } = thisMachine();
    assert.deepEqual([platform, arch], [process.platform, process.arch]);
  });
});
