import type { MessagePort } from "node:worker_threads";
import type { GraphModel } from "../graph/graph-model.js";
import type { Batch } from "../runtime/batch.js";
import type { DeviceId } from "../runtime/devices.js";
import type { OpenSession, Session, SessionOptions } from "../runtime/session.js";
import { fromPlain } from "./engine-messages.js";
import type { FromSession, ToSession } from "./session-messages.js";

/**
 * Sessions that run in another thread, one at a time, behind its port. When that thread ends, what it was asked stays
 * unanswered.
 */
export function sessionThread(port: MessagePort): OpenSession {
  const waiting: { resolve: (answer: FromSession) => void; reject: (error: Error) => void }[] = [];
  port.on("message", (answer: FromSession) => {
    const asked = waiting.shift()!;
    if (answer.type === "failed") asked.reject(fromPlain(answer.error));
    else asked.resolve(answer);
  });
  const ask = <T extends FromSession["type"]>(message: ToSession, transfer: ArrayBuffer[] = []) =>
    new Promise<FromSession & { type: T }>((resolve, reject) => {
      waiting.push({ resolve: (answer) => resolve(answer as FromSession & { type: T }), reject });
      port.postMessage(message, transfer);
    });
  return async (model: GraphModel, device: DeviceId, { warn, ...options }: SessionOptions = {}): Promise<Session> => {
    const { warnings } = await ask<"opened">({ type: "open", model, device, options });
    for (const warning of warnings) warn?.(warning);
    return {
      pipelined: true,
      run: async (batch: Batch) => (await ask<"logits">({ type: "run", batch }, [batch.ids.buffer])).logits,
      release: async () => void (await ask<"released">({ type: "release" })),
    };
  };
}
