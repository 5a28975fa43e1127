import { isMainThread } from "node:worker_threads";

/** What ONNX Runtime 1.29 and later reads, once, when it is loaded. */
const SWITCH = "ORT_DISABLE_TELEMETRY";

/**
 * Keeps ONNX Runtime from reporting its use over the network, and from the device id and the database that it writes
 * for that below `~/.cache/Microsoft`. It reads the environment of the process; the `process.env` of a worker thread is
 * a copy that native code never sees, so this must run on the main thread before any thread loads it. A value that the
 * user has set stands.
 * @returns a sentence for the user where the environment of the process is out of reach
 */
export function disableTelemetry(env: NodeJS.ProcessEnv = process.env, main = isMainThread): string | undefined {
  if (env[SWITCH] !== undefined) return undefined;
  env[SWITCH] = "1";
  if (main) return undefined;
  return `ONNX Runtime's telemetry can only be switched off from the main thread: set ${SWITCH}=1 in the environment of the process, or load a reranker on the main thread first.`;
}
