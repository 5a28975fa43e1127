import { platform, setPriority } from "node:os";
import { type MessagePort, workerData } from "node:worker_threads";
import { type ExitState, useExitState } from "./exit-guard.js";
import { plainError } from "./protocol.js";
import { createSession, preloadRuntime, type Session } from "./session.js";
import type { FromSession, ToSession } from "./session-protocol.js";

export interface SessionWorkerData {
  /** The engine's end is elsewhere; when it closes, this thread ends. */
  port: MessagePort;
  exitState: ExitState;
}

const { port, exitState } = workerData as SessionWorkerData;
useExitState(exitState);
// A little behind the caller's thread, whose event loop should not wait for a core. On Linux this is the thread's own
// priority, which ONNX Runtime's threads inherit; elsewhere it would be the whole process's.
if (platform() === "linux") setPriority(0, 3);
// Meanwhile the engine finds out what to open.
preloadRuntime();

let session: Session | undefined;

async function answer(message: ToSession): Promise<FromSession> {
  try {
    switch (message.type) {
      case "open": {
        const warnings: string[] = [];
        const { model, device, options } = message;
        const former = session;
        session = await createSession(model, device, { ...options, warn: (warning) => warnings.push(warning) });
        await former?.release();
        return { type: "opened", warnings };
      }
      case "run":
        return { type: "logits", logits: await session!.run(message.batch) };
      case "release":
        await session!.release();
        session = undefined;
        return { type: "released" };
    }
  } catch (error) {
    return { type: "failed", error: plainError(error) };
  }
}

let last = Promise.resolve();
port.on("message", (message: ToSession) => {
  last = last.then(async () => port.postMessage(await answer(message)));
});
// Not in the middle of native code: this is only heard between two messages' work.
port.on("close", () => process.exit());
