import { parentPort, workerData } from "node:worker_threads";
import { type ExitState, useExitState } from "./exit-guard.js";
import type { LoadSpec } from "./load.js";
import { serveEngine } from "./serve.js";

export interface WorkerData {
  spec: LoadSpec;
  exitState: ExitState;
}

// A structured clone of anything but plain data would fail at the sender, so what arrives has its declared type.
const { spec, exitState } = workerData as WorkerData;
const port = parentPort!;
useExitState(exitState);
const receive = serveEngine(spec, (message) => port.postMessage(message));
port.on("message", receive);
