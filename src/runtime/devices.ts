import type { Device, DeviceName, Dtype } from "../types.js";
import type { Machine } from "./machine.js";

/** A device as ONNX Runtime takes it: execution provider and number. */
export interface DeviceId {
  name: DeviceName;
  index: number;
}

/** A number format that something runs in. */
export type RunDtype = Exclude<Dtype, "auto">;

/** All that is particular to a device. */
export interface DeviceRow {
  /** Where it can be had, and what it takes there. For people: README and errors say the same. */
  where: string;
  needs: string;
  /** Where `"auto"` tries it: platforms, with or without the architecture. */
  auto: "everywhere" | readonly string[];
  /** Whether a machine may have several, told apart by number. */
  numbered: boolean;
  /** How many sessions run at once: one for each core, one for each device of a number, or one in the whole process. */
  sessions: "cores" | "numbers" | "one";
  /** Number formats of our own graphs. */
  dtypes: readonly RunDtype[];
  /** Those of them that `"auto"` tries, best first. */
  autoDtypes: readonly RunDtype[];
  /** Whether a batch may hold pairs of different lengths. On the CPU the mask would cost more than it saves. */
  padded: boolean;
  /** Tokens of one run: enough to keep it busy. More would only take more memory and hold up whoever waits. */
  batchTokens(threads: number): number;
}

const gpu = {
  dtypes: ["fp16", "fp32"],
  autoDtypes: ["fp16", "fp32"],
  padded: true,
  batchTokens: () => 16384,
} as const satisfies Partial<DeviceRow>;

/** Every device, best first. */
export const DEVICES: Record<DeviceName, DeviceRow> = {
  cuda: {
    where: "Linux x64",
    needs:
      "an NVIDIA driver, CUDA 12, cuDNN 9, and the library that onnxruntime-node's install script fetches (ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node fetches it later)",
    auto: ["linux x64"],
    numbered: true,
    sessions: "numbers",
    ...gpu,
  },
  dml: {
    where: "Windows",
    needs: "a GPU with a Direct3D 12 driver",
    auto: ["win32"],
    numbered: true,
    sessions: "numbers",
    ...gpu,
  },
  webgpu: {
    where: "Linux x64, Windows, macOS arm64",
    needs: "a GPU with a driver for Vulkan (on Linux, with libvulkan1), Direct3D 12 or Metal",
    auto: ["linux x64", "win32", "darwin arm64"],
    numbered: false,
    sessions: "one",
    ...gpu,
  },
  coreml: { where: "macOS arm64", needs: "nothing else", auto: [], numbered: false, sessions: "one", ...gpu },
  cpu: {
    where: "Linux and Windows (x64, arm64), macOS arm64",
    needs: "nothing but onnxruntime-node, installed for this platform",
    auto: "everywhere",
    numbered: false,
    sessions: "cores",
    dtypes: ["fp32", "int8"],
    autoDtypes: ["fp32"],
    padded: false,
    batchTokens: (threads) => Math.min(1024, 512 * threads),
  },
};

export function deviceNames(): DeviceName[] {
  return Object.keys(DEVICES) as DeviceName[];
}

/** Checks the option `device`: returns what was expected when the value is wrong, else `undefined`. */
export function checkDevice(value: unknown): string | undefined {
  const [, name] = (typeof value === "string" && /^([a-z]+)(?::\d+)?$/.exec(value)) || [];
  if (value === "auto" || (name !== undefined && Object.hasOwn(DEVICES, name))) return undefined;
  const names = deviceNames().map((name) => `"${name}"`);
  return `"auto", or one of ${names.join(", ")}, those optionally with a number as in "cuda:1"`;
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

/** What to do when a device that was asked for by name cannot be had. */
export function remedy({ name }: DeviceId): string {
  const { where, needs } = DEVICES[name];
  return `${name} is for ${where}, and needs ${needs}.`;
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
  return deviceNames().filter((name) => {
    const { auto } = DEVICES[name];
    return auto === "everywhere" || auto.includes(platform) || auto.includes(`${platform} ${arch}`);
  });
}
