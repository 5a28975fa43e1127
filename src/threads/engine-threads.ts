import type { MessagePort } from "node:worker_threads";
import type { LoadSpec } from "../engine/loaded-model.js";
import type { FromEngine, Port, ToEngine } from "./engine-messages.js";
import type { WorkerData } from "./engine-worker.js";
import { Thread } from "./thread.js";
import { acquireThread } from "./thread-pool.js";

/**
 * An engine in threads of its own: one that tokenizes and fills batches, and one for every session. All are started from
 * here and talk to each other directly. When the engine's ends, the ports of the others close, and they are idle as soon
 * as they are out of native code; when one of theirs ends, the engine's follows.
 * @param receive takes what the engine says
 * @param died called whenever one has ended, asked or not; with the error that ended the first, if any
 */
export function startThreads(
  spec: LoadSpec,
  receive: (message: FromEngine) => void,
  died: (cause: unknown) => void,
): Port {
  const released: Promise<void>[] = [];
  let failure: unknown;
  const sessionPort = (): MessagePort => {
    const acquired = acquireThread((cause) => {
      failure ??= cause;
      engine.postMessage({ type: "lost" } satisfies ToEngine);
      died(failure);
    });
    released.push(acquired.released);
    return acquired.port;
  };
  const session = sessionPort();
  const engine = new Thread("engineWorker", { spec, session } satisfies WorkerData, [session]);
  engine.on("message", (message: FromEngine) => {
    if (message.type !== "grow") return receive(message);
    const port = sessionPort();
    engine.postMessage({ type: "session", port } satisfies ToEngine, [port]);
  });
  engine.on("error", (error) => {
    failure ??= error;
  });
  engine.once("exit", () => died(failure));
  return {
    send: (message) => engine.postMessage(message),
    hold: (busy) => (busy ? engine.ref() : engine.unref()),
    close: async () => {
      // The sessions' threads do not keep the process alive by themselves.
      const alive = setInterval(() => {}, 1000);
      await engine.terminate();
      await Promise.all(released);
      clearInterval(alive);
    },
  };
}
