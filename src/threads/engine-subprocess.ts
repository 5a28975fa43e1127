import { fork } from "node:child_process";
import type { LoadSpec } from "../engine/loaded-model.js";
import { ownFile } from "../own-files.js";
import type { FromEngine, Port, ToEngine } from "./engine-messages.js";

/**
 * An engine's threads in a process of their own, for callers in a worker thread: that may be terminated, or its process
 * exit, at any time, without a chance for us to wait until our threads, which end with it, are out of native code; and
 * a thread that is ended there aborts the whole process. A process of its own ends by itself when its caller has gone.
 * @param receive takes what the engine says
 * @param died called when the process has ended, asked or not
 */
export function startSubprocess(
  spec: LoadSpec,
  receive: (message: FromEngine) => void,
  died: (cause: unknown) => void,
): Port {
  // It runs plain JavaScript of ours: no loader or debugger of the caller's is wanted there.
  const child = fork(ownFile("engineProcess"), [], { serialization: "advanced", execArgv: [] });
  const ended = new Promise<void>((resolve) => {
    const end = (cause: unknown) => {
      died(cause);
      resolve();
    };
    child.once("error", end);
    child.once("exit", (code, signal) => end(new Error(`its process ended with ${signal ?? `code ${code}`}`)));
  });
  const send = (message: ToEngine | LoadSpec) => {
    // Of a process that has gone its end tells.
    if (child.connected) child.send(message, () => {});
  };
  child.on("message", receive);
  send(spec);
  return {
    send,
    hold: (busy) => {
      const change = busy ? "ref" : "unref";
      child[change]();
      child.channel?.[change]();
    },
    close: async () => {
      child.ref();
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
