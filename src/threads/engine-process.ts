import type { LoadSpec } from "../engine/loaded-model.js";
import type { FromEngine, ToEngine } from "./engine-messages.js";
import { startThreads } from "./engine-threads.js";

// A process of its own for an engine's threads, see startSubprocess. The first message says what to load.

process.once("message", (spec: LoadSpec) => {
  // The caller may be gone by now; the callback takes the error, which would else end this process loudly.
  const send = (message: FromEngine) => void process.send?.(message, undefined, undefined, () => {});
  const engine = startThreads(spec, send, () => process.exit(1));
  process.on("message", (message: ToEngine) => engine.send(message));
});
process.once("disconnect", () => process.exit());
// Ctrl-C reaches all processes of a terminal; this one ends with its caller.
process.on("SIGINT", () => {});
