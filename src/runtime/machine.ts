import { existsSync, readdirSync, readFileSync } from "node:fs";

/** What decides which devices are worth a try. */
export interface Machine {
  platform: NodeJS.Platform;
  arch: string;
  /** Why no hardware GPU can be there, or `undefined` where there may be one. */
  noGpu: string | undefined;
}

/** PCI vendors whose render nodes are hardware GPUs; virtual display adapters have others. */
const GPU_VENDORS: readonly string[] = ["0x10de", "0x1002", "0x8086"];

export function thisMachine(): Machine {
  return { platform: process.platform, arch: process.arch, noGpu: noHardwareGpu() };
}

/** ONNX Runtime does not say what kind of adapter it took, so a software GPU is kept out before it is asked. */
function noHardwareGpu(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const drivers = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  if (drivers && /swiftshader|lvp|lavapipe|llvmpipe/i.test(drivers)) return "the Vulkan driver is a software GPU";
  if (existsSync("/dev/nvidiactl") || existsSync("/dev/dxg")) return undefined;
  const vendors = list("/sys/class/drm")
    .filter((name) => name.startsWith("renderD"))
    .map((name) => read(`/sys/class/drm/${name}/device/vendor`));
  return vendors.some((vendor) => GPU_VENDORS.includes(vendor)) ? undefined : "no GPU was found";
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}
