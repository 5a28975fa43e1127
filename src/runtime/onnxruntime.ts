import { RerankError } from "../errors.js";
import { native } from "./exit-guard.js";
import { disableTelemetry } from "./telemetry.js";

export type Runtime = typeof import("onnxruntime-node");

// In a constant, which bundlers do not follow: none can take native code in. File tracers do.
const PACKAGE = "onnxruntime-node";

/** Loads the native library, in silence. */
export async function runtime(): Promise<Runtime> {
  disableTelemetry();
  try {
    const ort = await native((): Promise<Runtime> => import(/* webpackIgnore: true */ PACKAGE));
    // What fails is thrown as well; the native log would only repeat it on stderr.
    ort.env.logLevel = "fatal";
    return ort;
  } catch (cause) {
    const intelMac = process.platform === "darwin" && process.arch === "x64";
    throw new RerankError(
      "DEVICE_UNAVAILABLE",
      `onnxruntime-node has no binary that loads on ${process.platform} ${process.arch}${intelMac ? " (Intel Macs are no longer supported by it)" : ""}: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** Loads the native library ahead of the first session; a failure shows there. */
export function preloadRuntime(): void {
  runtime().catch(() => {});
}

/** ONNX Runtime's version. */
export async function runtimeVersion(): Promise<string> {
  return (await runtime()).env.versions.node ?? "unknown";
}
