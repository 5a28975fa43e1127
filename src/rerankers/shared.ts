import type { Reranker, RerankerOptions } from "../types.js";
import { EngineSource, LocalReranker } from "./local.js";

/** Engines of this process that several rerankers share, by everything that decides what they compute. */
const engines = new Map<string, { source: EngineSource; users: number }>();

/**
 * A reranker that shares its loaded model with every other shared reranker of the same model, device and dtype in this
 * process, and loads it on first use. `maxLength` and `overflow` stay its own. Each caller disposes of its own; the
 * model is freed with the last one.
 * @param model hub id, local folder or `"mini"`. Default `"BAAI/bge-reranker-base"`.
 * @throws {RerankError} `OPTION_INVALID` at once; loading errors come from the first use, and the next use tries again.
 */
export function sharedReranker(model?: string, options: RerankerOptions = {}): Reranker {
  return new LocalReranker(model, options, (name, engine) => {
    const key = JSON.stringify([name, engine]);
    const entry = engines.get(key) ?? { source: new EngineSource(name, engine), users: 0 };
    engines.set(key, entry);
    entry.users++;
    return {
      open: (onProgress) => entry.source.open(onProgress),
      close: async () => {
        if (--entry.users > 0) return;
        engines.delete(key);
        await entry.source.close();
      },
    };
  });
}
