import type { ModelFiles } from "../model/files.js";
import type { Device } from "../types.js";
import { EngineClient } from "./client.js";
import { candidates, type DeviceId, deviceLabel, type Machine, thisMachine } from "./devices.js";

/** How one device fared. */
export interface DeviceTrial {
  device: string;
  /** `"works"`, `"failed"` when it was tried, `"passed over"` when `"auto"` would not even try it. */
  outcome: "works" | "failed" | "passed over";
  /** Why it failed or was passed over. */
  reason: string | undefined;
}

/** Loads `files` on one device and scores a pair, or throws the reason why not. */
type Attempt = (files: ModelFiles, device: DeviceId) => Promise<void>;

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
  for (const device of tries) {
    const reason = await attempt(files, device).then(
      () => undefined,
      (error) => (error instanceof Error ? error.message : String(error)),
    );
    trials.push({ device: deviceLabel(device), outcome: reason === undefined ? "works" : "failed", reason });
  }
  return trials;
}

const load: Attempt = async (files, device) => {
  const spec = { files, device: `${device.name}:${device.index}` as const, dtype: "auto" as const };
  const engine = await EngineClient.start({ ...spec, batchTokens: undefined }, true);
  await engine.dispose();
};
