import { parentPort, workerData } from "node:worker_threads";
import type { LoadSpec } from "./load.js";
import { serveEngine } from "./serve.js";

// A structured clone of anything but plain data would fail at the sender, so what arrives has its declared type.
const port = parentPort!;
const receive = serveEngine(workerData as LoadSpec, (message) => port.postMessage(message));
port.on("message", receive);
