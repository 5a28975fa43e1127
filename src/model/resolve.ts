import { stat } from "node:fs/promises";
import { isAbsolute, resolve, win32 } from "node:path";
import { fileURLToPath } from "node:url";
import { RerankError, show } from "../errors.js";
import { expandHome } from "./hub/environment.js";
import { throwIfAborted } from "./hub/request.js";
import { isHubId, resolveHubModel } from "./hub/resolve.js";
import type { ModelFileOptions, ModelFiles } from "./model-files.js";
import { folderSource, selectFiles } from "./select-files.js";

/**
 * Finds a model's files, downloading what a hub model lacks on this machine.
 * @param model `"mini"` (embedded in this package), a folder (an absolute path, one that starts with `./`, `../` or
 *   `~/`, or any existing one), or the id of a hub model
 * @throws {RerankError} `MODEL_NOT_FOUND`, `MODEL_INVALID`, `MODEL_UNSUPPORTED`, `DOWNLOAD_FAILED`, `OPTION_INVALID`,
 *   `ABORTED`
 */
export async function resolveModel(model: string, options: ModelFileOptions = {}): Promise<ModelFiles> {
  throwIfAborted({ signal: options.signal });
  if (typeof model !== "string" || model.trim() === "") {
    throw new RerankError("OPTION_INVALID", `model is ${show(model)}; expected ${FORMS}.`);
  }
  if (model === "mini") return await fromFolder(model, MINI, options.revision);
  const folder = resolve(expandHome(model));
  if (isPath(model) || (await kindOf(folder)) === "folder") return await fromFolder(model, folder, options.revision);
  if (isHubId(model)) return await resolveHubModel(model, options);
  throw new RerankError("MODEL_NOT_FOUND", `No model ${show(model)}: no folder ${folder}, and not ${FORMS}.`);
}

const FORMS = '"mini", a folder such as ./my-model, or a hub id such as "BAAI/bge-reranker-base"';

/** Seen from dist/src/model/ of the package. */
const MINI = fileURLToPath(new URL("../../../models/mini", import.meta.url));

async function fromFolder(model: string, folder: string, revision: string | undefined): Promise<ModelFiles> {
  if (revision !== undefined) {
    const message = `revision is ${show(revision)}, but ${show(model)} is a folder; only hub models have revisions.`;
    throw new RerankError("OPTION_INVALID", message);
  }
  const kind = await kindOf(folder);
  if (kind !== "folder") {
    const problem = kind === "nothing" ? "there is no folder" : "expected a folder, not a file:";
    throw new RerankError("MODEL_NOT_FOUND", `No model ${show(model)}: ${problem} ${folder}.`);
  }
  return { model, revision: undefined, paths: await selectFiles(await folderSource(folder)) };
}

/** A Windows path is one everywhere: its error then speaks of a folder and not of the hub. */
function isPath(model: string): boolean {
  return isAbsolute(model) || win32.isAbsolute(model) || /^(\.\.?|~)([\\/]|$)/.test(model);
}

async function kindOf(path: string): Promise<"folder" | "file" | "nothing"> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ? "folder" : found ? "file" : "nothing";
}
