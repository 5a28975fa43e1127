import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { holdExit, newExitState } from "./exit-guard.js";
import type { LoadSpec } from "./load.js";
import type { FromEngine, Port, ToEngine } from "./protocol.js";
import type { SessionWorkerData } from "./session-worker.js";
import type { WorkerData } from "./worker.js";

/**
 * An engine in threads of its own: one that tokenizes and fills batches, and one for every session. All are started from
 * here and talk to each other directly. When one ends, the others follow as soon as they are out of native code: a
 * session's thread when its port closes, the engine's when it hears of a lost session.
 * @param receive takes what the engine says
 * @param died called whenever one has ended, asked or not; with the error that ended the first, if any
 */
export function startThreads(
  spec: LoadSpec,
  receive: (message: FromEngine) => void,
  died: (cause: unknown) => void,
): Port {
  const exitState = newExitState();
  const release = holdExit(exitState);
  // Of the flags that threads inherit, this one belongs to `node --eval` alone and would keep a worker from starting.
  const execArgv = process.execArgv.some((flag) => flag.startsWith("--input-type")) ? { execArgv: [] } : {};
  const started: Worker[] = [];
  const ended: Promise<unknown>[] = [];
  /** Waits until every thread has ended, and keeps the process alive for that long. */
  const allEnded = () => {
    for (const worker of started) worker.ref();
    return Promise.all(ended);
  };
  const start = (file: string, workerData: WorkerData | SessionWorkerData, port: MessagePort): Worker => {
    const options = { workerData, transferList: [port], name: "bge-reranker", ...execArgv };
    const worker = new Worker(new URL(file, import.meta.url), options);
    started.push(worker);
    ended.push(new Promise((resolve) => worker.once("exit", resolve)));
    return worker;
  };
  let failure: unknown;
  const startSession = (): MessagePort => {
    const { port1, port2 } = new MessageChannel();
    const worker = start("./session-worker.js", { port: port2, exitState }, port2);
    worker.on("error", (error) => {
      failure ??= error;
    });
    worker.once("exit", () => {
      engine.postMessage({ type: "lost" } satisfies ToEngine);
      died(failure);
    });
    worker.unref();
    return port1;
  };
  const first = startSession();
  const engine = start("./worker.js", { spec, exitState, session: first }, first);
  engine.on("message", (message: FromEngine) => {
    if (message.type !== "grow") return receive(message);
    const session = startSession();
    engine.postMessage({ type: "session", port: session } satisfies ToEngine, [session]);
  });
  engine.on("error", (error) => {
    failure ??= error;
  });
  engine.once("exit", () => {
    died(failure);
    void allEnded().then(release);
  });
  return {
    send: (message) => engine.postMessage(message),
    hold: (busy) => (busy ? engine.ref() : engine.unref()),
    close: async () => {
      await engine.terminate();
      await allEnded();
    },
  };
}
