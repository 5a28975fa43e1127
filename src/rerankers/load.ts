import type { Reranker, RerankerOptions } from "../types.js";
import { EngineSource, LocalReranker } from "./local.js";

// On its own: the types that our users compile against should not lead to the engine's.

/**
 * Loads a model for local inference; the model is this reranker's own.
 * @param model hub id, local folder or `"mini"` (the small model inside this package). Default `"BAAI/bge-reranker-base"`.
 * @throws {RerankError} `MODEL_NOT_FOUND`, `MODEL_INVALID`, `MODEL_UNSUPPORTED`, `DOWNLOAD_FAILED`,
 * `DEVICE_UNAVAILABLE`, `OPTION_INVALID`
 */
export async function loadReranker(model?: string, options: RerankerOptions = {}): Promise<Reranker> {
  const reranker = new LocalReranker(model, options, (name, engine) => new EngineSource(name, engine));
  try {
    await reranker.load();
  } catch (error) {
    // The model may be there and refuse an option; nobody could free it later.
    await reranker.dispose();
    throw error;
  }
  return reranker;
}
