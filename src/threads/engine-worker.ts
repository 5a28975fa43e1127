import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { LoadSpec } from "../engine/loaded-model.js";
import { useExitState } from "../runtime/exit-guard.js";
import type { OpenSession } from "../runtime/session.js";
import { serveEngine } from "./engine-host.js";
import type { ToEngine } from "./engine-messages.js";
import { sessionThread } from "./session-client.js";
import type { ThreadData } from "./thread.js";

export interface WorkerData {
  spec: LoadSpec;
  /** To the thread of the first session. */
  session: MessagePort;
}

// A structured clone of anything but plain data would fail at the sender, so what arrives has its declared type.
const { spec, exitState, session } = workerData as WorkerData & ThreadData;
const port = parentPort!;
useExitState(exitState);

const asked: ((open: OpenSession) => void)[] = [];
const receive = serveEngine(spec, (message) => port.postMessage(message), {
  first: sessionThread(session),
  next: () =>
    new Promise((resolve) => {
      asked.push(resolve);
      port.postMessage({ type: "grow" });
    }),
});
port.on("message", (message: ToEngine) => {
  if (message.type === "session") asked.shift()!(sessionThread(message.port));
  // Without one of its sessions the engine cannot keep its promises; the callers hear of it from its end.
  else if (message.type === "lost") process.exit(1);
  else receive(message);
});
