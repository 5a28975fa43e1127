import assert from "node:assert/strict";
import { test } from "node:test";
import { missingForWebGpu } from "./vulkan.js";

test("what the WebGPU tests need is named when it is missing: the driver, or the loader", () => {
  const here = process.execPath;
  assert.match(missingForWebGpu("/nowhere/icd.json") ?? "", /^no \/nowhere\/icd\.json .*libvulkan1/);
  assert.match(missingForWebGpu(here, "libnowhere.so.1") ?? "", /^no libnowhere\.so\.1 /);
  if (process.platform === "linux") assert.equal(missingForWebGpu(here, "libc.so.6"), undefined);
});
