import { Engine, type ScoreRequest } from "../engine/engine.js";
import { loadModel } from "../engine/load.js";
import type { LoadSpec, Sessions } from "../engine/loaded-model.js";
import { type FromEngine, plainError, type ToEngine } from "./engine-messages.js";

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
  const arriving = new Map<number, ScoreRequest>();
  const engine = start(spec, send, sessions);
  const deliver = async (message: ToEngine): Promise<void> => {
    const running = await engine;
    if (!running) return;
    switch (message.type) {
      case "begin":
        arriving.set(message.request.id, { ...message.request, passages: [] });
        return;
      case "passages":
        for (const passage of message.passages) arriving.get(message.id)?.passages.push(passage);
        return;
      case "end": {
        const request = arriving.get(message.id);
        arriving.delete(message.id);
        if (request) running.submit(request);
        return;
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
    send({ type: "ready", facts: { info, least: tokenizer.specialTokensPerPair, limit, warnings } });
    return new Engine(model, {
      result: (result) => send({ type: "result", result }),
      failure: (id, error) => send({ type: "failure", id, error: plainError(error) }),
      warning: (message) => send({ type: "warning", message }),
    });
  } catch (error) {
    send({ type: "unloadable", error: plainError(error) });
    return undefined;
  }
}
