import { Engine } from "../engine/engine.js";
import { loadModel } from "../engine/load.js";
import type { LoadSpec, Sessions } from "../engine/loaded-model.js";
import type { LocalRequest } from "../request.js";
import { type FromEngine, joinParts, plainError, type ToEngine } from "./engine-messages.js";

/**
 * An engine behind messages, the same in a worker thread and inline. Loads at once and answers `ready` or `unloadable`.
 * @param sessions where its sessions run
 * @returns where to send messages
 */
export function serveEngine(
  spec: LoadSpec,
  send: (message: FromEngine) => void,
  sessions: Sessions,
): (message: ToEngine) => void {
  const arriving = new Map<number, LocalRequest[]>();
  const engine = start(spec, send, sessions);
  const deliver = async (message: ToEngine): Promise<void> => {
    const running = await engine;
    if (!running) return;
    switch (message.type) {
      case "request": {
        const { id, part, last } = message;
        const parts = arriving.get(id) ?? [];
        parts.push(part);
        if (!last) return void arriving.set(id, parts);
        arriving.delete(id);
        return running.submit(id, joinParts(parts));
      }
      case "abort":
        arriving.delete(message.id);
        return running.abort(message.id);
      case "dispose":
        await running.dispose();
        return send({ type: "disposed" });
    }
  };
  return (message) => void deliver(message);
}

async function start(
  spec: LoadSpec,
  send: (message: FromEngine) => void,
  sessions: Sessions,
): Promise<Engine | undefined> {
  try {
    const model = await loadModel(spec, sessions);
    const { info, limit, warnings, tokenizer } = model;
    send({ type: "ready", facts: { info, least: tokenizer.specialTokensPerPair + 2, limit, warnings } });
    return new Engine(model, {
      progress: (id, scored) => send({ type: "progress", id, scored }),
      result: (id, result) => send({ type: "result", id, result }),
      failure: (id, error) => send({ type: "failure", id, error: plainError(error) }),
      stopped: (error) => send({ type: "stopped", error: plainError(error) }),
      warning: (message) => send({ type: "warning", message }),
    });
  } catch (error) {
    send({ type: "unloadable", error: plainError(error) });
    return undefined;
  }
}
