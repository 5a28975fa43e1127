import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import type { InferenceSession } from "onnxruntime-node";
import { findDerived, keepDerived } from "../cache/derived.js";
import type { Warn } from "../warn.js";

/** Packed weights belong to one ONNX Runtime version and one set of CPU features. */
export function cpuKey(runtimeVersion: string | undefined): string {
  const flags = /^(?:flags|Features)\s*:.*$/m.exec(readText("/proc/cpuinfo"))?.[0] ?? "";
  const key = [runtimeVersion, process.arch, cpus()[0]?.model, flags];
  return createHash("sha256").update(JSON.stringify(key)).digest("hex").slice(0, 16);
}

type Open = (
  graph: string,
  session: Record<string, string>,
  options: InferenceSession.SessionOptions,
) => Promise<InferenceSession>;

/** Session settings that write packed weights; tensors under 1,024 bytes stay inside the graph file. */
const SAVE = {
  save_external_prepacked_constant_initializers: "1",
  optimized_model_external_initializers_min_size_in_bytes: "1024",
};

/**
 * Opens a graph whose optimized form and packed weights are kept in two files of our cache: mapped, so that sessions,
 * workers and processes share one copy and opening takes no time. The first time they are written on the way.
 * @param plain opens the graph from its source
 * @param open opens a graph file
 */
export async function openPrepacked(
  { key, model }: { key: string; model: string },
  plain: (session?: Record<string, string>, options?: InferenceSession.SessionOptions) => Promise<InferenceSession>,
  open: Open,
  warn: Warn,
): Promise<InferenceSession> {
  const names = [`${key}.weights`, `${key}.onnx`];
  const [weights, graph] = names.map(findDerived);
  if (weights && graph) {
    try {
      // The file has been optimized for this CPU; doing it again would only cost time.
      return await open(graph.path, {}, { graphOptimizationLevel: "disabled" });
    } catch {
      // Damaged in a way that its checksum file does not show: made again.
    }
  }
  let session: InferenceSession | undefined;
  const save = async (folder: string) => {
    const options = { optimizedModelFilePath: join(folder, `${key}.onnx`) };
    session = await plain({ ...SAVE, optimized_model_external_initializers_file_name: `${key}.weights` }, options);
  };
  try {
    await keepDerived(
      names.map((name) => ({ name, model })),
      save,
      warn,
    );
  } catch (error) {
    // A full disk, in ONNX Runtime's words; or else the model is at fault and fails here again.
    session ??= await plain();
    warn(`The packed weights cannot be kept in the cache: ${(error as Error).message}`);
  }
  return session ?? plain();
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
