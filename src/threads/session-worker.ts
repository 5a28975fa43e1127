import { platform, setPriority } from "node:os";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { useExitState } from "../runtime/exit-guard.js";
import { preloadRuntime } from "../runtime/onnxruntime.js";
import { createSession, type Session } from "../runtime/session.js";
import { plainError } from "./engine-messages.js";
import type { FromSession, ToSession } from "./session-messages.js";
import type { ThreadData } from "./thread.js";

useExitState((workerData as ThreadData).exitState);
// A little behind the caller's thread, whose event loop should not wait for a core. On Linux this is the thread's own
// priority, which ONNX Runtime's threads inherit; elsewhere it would be the whole process's.
if (platform() === "linux") setPriority(0, 3);
// Meanwhile the engine finds out what to open.
preloadRuntime();

const parent = parentPort!;
parent.on("message", serve);

/** A thread whose session is lost is of no use to its engine, which hears of it from the thread's end. */
function end(error: unknown): undefined {
  setImmediate(() => {
    throw error;
  });
}

/** Works for the engine at the other end of this port until that closes it, then tells the parent. */
function serve(port: MessagePort): void {
  let session: Session | undefined;
  /** Opens what is open once more. */
  let reopen: (() => Promise<Session>) | undefined;
  const answer = async (message: ToSession): Promise<FromSession> => {
    try {
      switch (message.type) {
        case "open": {
          const warnings: string[] = [];
          const { model, device, options } = message;
          const open = () => createSession(model, device, { ...options, warn: (warning) => warnings.push(warning) });
          // Both at the same time would take the memory of both.
          await session?.release();
          session = undefined;
          try {
            session = await open();
            reopen = open;
          } catch (error) {
            session = await reopen?.().catch(end);
            throw error;
          }
          return { type: "opened", warnings };
        }
        case "run":
          return { type: "logits", logits: await session!.run(message.batch) };
        case "release":
          await session!.release();
          session = reopen = undefined;
          return { type: "released" };
      }
    } catch (error) {
      return { type: "failed", error: plainError(error) };
    }
  };
  let last = Promise.resolve();
  let closed = false;
  port.on("message", (message: ToSession) => {
    last = last.then(async () => {
      if (!closed) port.postMessage(await answer(message));
    });
  });
  port.on("close", async () => {
    closed = true;
    await last;
    await session?.release();
    parent.postMessage("idle");
  });
}
