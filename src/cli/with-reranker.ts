import { remoteReranker } from "../remote/reranker.js";
import { sharedReranker } from "../rerankers/shared.js";
import type { Reranker, RerankerOptions } from "../types.js";
import type { Io } from "./io.js";
import { Progress } from "./progress.js";

type Use<T> = (reranker: Reranker, progress: Progress) => Promise<T>;

/** Loads a model, shows its download, hands it to `use` and frees it again. Ctrl-C ends the wait at once. */
export function withReranker<T>(io: Io, model: string | undefined, options: RerankerOptions, use: Use<T>): Promise<T> {
  const progress = new Progress(io);
  const reranker = sharedReranker(model, { ...options, onProgress: progress.download });
  return hand(io, { reranker, progress, name: model ?? "the model" }, use);
}

/** The same with an inference engine by URL. A key comes from the environment: arguments are for all to see. */
export function withRemoteReranker<T>(io: Io, url: string, model: string | undefined, use: Use<T>): Promise<T> {
  const apiKey = io.env.BGE_RERANKER_API_KEY || undefined;
  return hand(
    io,
    { reranker: remoteReranker({ url, model, apiKey }), progress: new Progress(io), name: "the engine" },
    use,
  );
}

async function hand<T>(
  io: Io,
  { reranker, progress, name }: { reranker: Reranker; progress: Progress; name: string },
  use: Use<T>,
): Promise<T> {
  progress.loading(name);
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
