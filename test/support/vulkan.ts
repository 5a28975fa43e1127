import { existsSync } from "node:fs";

/** SwiftShader, a Vulkan driver in software, is part of Debian's package `chromium`. */
export const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** Why the WebGPU tests cannot run here: the driver, or the loader that opens drivers, is missing. */
export function missingForWebGpu(driver: string, loader = "libvulkan.so.1"): string | undefined {
  const missing = existsSync(driver) ? (canOpen(loader) ? undefined : loader) : driver;
  return (
    missing && `no ${missing} (Debian: apt-get install chromium libvulkan1); BGE_TEST_WEBGPU=1 makes this an error`
  );
}

/** Whether the system finds a library: one that is no addon of Node's fails too, but differently. */
function canOpen(library: string): boolean {
  try {
    process.dlopen({ exports: {} }, library);
    return true;
  } catch (error) {
    return !/cannot open shared object file|no such file/i.test((error as Error).message);
  }
}
