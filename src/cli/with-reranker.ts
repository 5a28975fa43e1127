import { sharedReranker } from "../rerankers/shared.js";
import type { Reranker, RerankerOptions } from "../types.js";
import type { Io } from "./io.js";
import { Progress } from "./progress.js";

/** Loads a model, shows its download, hands it to `use` and frees it again. Ctrl-C ends the wait at once. */
export async function withReranker<T>(
  io: Io,
  model: string | undefined,
  options: RerankerOptions,
  use: (reranker: Reranker, progress: Progress) => Promise<T>,
): Promise<T> {
  const progress = new Progress(io);
  const reranker = sharedReranker(model, { ...options, onProgress: progress.download });
  progress.loading(model ?? "the model");
  try {
    await reranker.load({ signal: io.signal });
    progress.clear();
    return await use(reranker, progress);
  } finally {
    progress.clear();
    // Disposing would wait for a load that nobody wants any more.
    if (!io.signal.aborted) await reranker.dispose();
  }
}
