import { homedir } from "node:os";
import { RerankError } from "../errors.js";

/**
 * The user's home folder.
 * @throws {RerankError} `OPTION_INVALID` where the user has none, as in containers that run under a bare number
 */
export function homeFolder(): string {
  try {
    return homedir();
  } catch (cause) {
    const message = "This user has no home folder. Set HOME, or name folders in HF_HOME and BGE_RERANKER_CACHE.";
    throw new RerankError("OPTION_INVALID", message, { cause });
  }
}
