import { findArchitecture, readNetwork } from "../graph/architectures/list.js";
import type { ModelFileOptions, ModelFiles } from "../model/model-files.js";
import { resolveFiles } from "../model/resolve.js";

/**
 * Finds a model's files, downloading what a hub model lacks on this machine, unless it is one that could not be run.
 * @param model `"mini"` (embedded in this package), a folder (an absolute path, one that starts with `./`, `../` or
 *   `~/`, or any existing one), or the id of a hub model
 * @throws {RerankError} `MODEL_NOT_FOUND`, `MODEL_INVALID`, `MODEL_UNSUPPORTED`, `DOWNLOAD_FAILED`, `OPTION_INVALID`,
 *   `ABORTED`
 */
export function resolveModel(model: string, options: ModelFileOptions = {}): Promise<ModelFiles> {
  return resolveFiles(model, options, {
    includes: (config) => findArchitecture(config) !== undefined,
    check: (config) => void readNetwork(config),
  });
}
