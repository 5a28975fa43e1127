import type { ModelFiles } from "../model/model-files.js";
import { candidates, type DeviceId, deviceLabel } from "../runtime/devices.js";
import { type Machine, thisMachine } from "../runtime/machine.js";
import { EngineClient } from "../threads/engine-client.js";
import type { Device } from "../types.js";

/** How one device fared. */
export interface DeviceTrial {
  device: string;
  /** `"works"`, `"failed"` when it was tried, `"passed over"` when `"auto"` would not even try it. */
  outcome: "works" | "failed" | "passed over";
  /** Why it failed or was passed over. */
  reason?: string;
  /** The number format that `"auto"` takes there. */
  dtype?: string;
}

/** Loads `files` on one device, scores a pair and returns the number format, or throws the reason why not. */
type Attempt = (files: ModelFiles, device: DeviceId) => Promise<string | undefined>;

/**
 * Tries every device that `wanted` stands for with a small model, one after the other, best first. `"auto"` takes the
 * first that works.
 */
export async function tryDevices(
  files: ModelFiles,
  wanted: Device,
  machine: Machine = thisMachine(),
  attempt: Attempt = load,
): Promise<DeviceTrial[]> {
  const { tries, skipped } = candidates(wanted, machine);
  const trials = skipped.map(
    ([device, reason]): DeviceTrial => ({ device: deviceLabel(device), outcome: "passed over", reason }),
  );
  for (const id of tries) {
    const device = deviceLabel(id);
    try {
      const dtype = await attempt(files, id);
      trials.push({ device, outcome: "works", ...(dtype && { dtype }) });
    } catch (error) {
      trials.push({ device, outcome: "failed", reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return trials;
}

const load: Attempt = async (files, device) => {
  const spec = { files, device: `${device.name}:${device.index}` as const, dtype: "auto" as const };
  const engine = await EngineClient.start(spec, true);
  await engine.dispose();
  return engine.facts.info.dtype;
};
