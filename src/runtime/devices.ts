import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Device, DeviceName } from "../types.js";

/** A device as ONNX Runtime takes it: execution provider and number. */
export interface DeviceId {
  name: DeviceName;
  index: number;
}

export interface Machine {
  platform: NodeJS.Platform;
  arch: string;
  /** Why no hardware GPU can be there, or `undefined` where there may be one. */
  noGpu: string | undefined;
}

/** `"cuda:1"` to its parts. */
export function parseDevice(device: Exclude<Device, "auto">): DeviceId {
  const [name, index] = device.split(":");
  return { name: name as DeviceName, index: Number(index ?? 0) };
}

/** `{ name: "cuda", index: 1 }` to `"cuda:1"`; the first device goes without its number. */
export function deviceLabel({ name, index }: DeviceId): string {
  return index === 0 ? name : `${name}:${index}`;
}

/** `cuda:1: ` and the first line of what went wrong there. */
export function deviceFailure(device: DeviceId, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return `${deviceLabel(device)}: ${message.split("\n")[0]}`;
}

/** What to try, best first, and what is passed over for a known reason. */
export function candidates(device: Device, machine: Machine): { tries: DeviceId[]; skipped: [DeviceId, string][] } {
  if (device !== "auto") return { tries: [parseDevice(device)], skipped: [] };
  const order = autoOrder(machine).map((name) => ({ name, index: 0 }));
  const reason = (id: DeviceId) => (id.name === "cpu" ? undefined : machine.noGpu);
  return {
    tries: order.filter((id) => reason(id) === undefined),
    skipped: order.flatMap((id): [DeviceId, string][] => (reason(id) ? [[id, reason(id)!]] : [])),
  };
}

function autoOrder({ platform, arch }: Machine): DeviceName[] {
  if (platform === "linux" && arch === "x64") return ["cuda", "webgpu", "cpu"];
  if (platform === "win32") return ["dml", "webgpu", "cpu"];
  if (platform === "darwin" && arch === "arm64") return ["webgpu", "cpu"];
  return ["cpu"];
}

/** What to do when a device that was asked for by name cannot be had. */
export const REMEDY: Record<DeviceName, string> = {
  cpu: "The CPU provider is part of onnxruntime-node: install it again for this platform.",
  cuda: "CUDA needs Linux x64, an NVIDIA driver, CUDA 12 with cuDNN 9, and onnxruntime-node's CUDA library (run its install script without ONNXRUNTIME_NODE_INSTALL=skip).",
  webgpu:
    "WebGPU needs a GPU driver: Vulkan (libvulkan1 and a driver) on Linux, Direct3D 12 on Windows, Metal on macOS.",
  dml: "DirectML needs Windows with a Direct3D 12 GPU.",
  coreml: "CoreML needs macOS.",
};

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
