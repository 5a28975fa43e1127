import { stat } from "node:fs/promises";
import { RerankError } from "../../errors.js";
import type { EvaluationData } from "./data.js";
import { openFolder } from "./folder.js";
import { openList } from "./lists.js";
import type { DataOptions } from "./options.js";

/**
 * Opens what is to be evaluated, and finds each query's candidates.
 * @param path A folder (BEIR's or FlagEmbedding's layout), or a file of lists with passages (C-MTEB's, or
 * `{ query, passages, relevant }`).
 * @throws RerankError `INPUT_INVALID`, saying where and why
 */
export async function openData(path: string, options: DataOptions = {}): Promise<EvaluationData> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (cause) {
    throw new RerankError("INPUT_INVALID", `There is no file or folder ${path}.`, { cause });
  }
  if (isFolder) return openFolder(path, options);
  for (const name of ["run", "qrels", "split"] as const) {
    if (options[name] === undefined) continue;
    throw new RerankError(
      "OPTION_INVALID",
      `${name} goes with a folder, and ${path} is a file with lists of passages.`,
    );
  }
  return openList(path);
}
