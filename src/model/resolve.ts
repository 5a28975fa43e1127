import { stat } from "node:fs/promises";
import { isAbsolute, resolve, win32 } from "node:path";
import { RerankError, show } from "../errors.js";
import { checkNotAborted } from "../http/retry.js";
import { ownFile } from "../own-files.js";
import { expandHome } from "./hub/environment.js";
import { isHubId, resolveHubModel } from "./hub/resolve.js";
import type { ModelFileOptions, ModelFiles } from "./model-files.js";
import { folderSource, type KnownArchitectures, selectFiles } from "./select-files.js";

/** Finds a model's files; see `resolveModel` in engine, which knows the architectures. */
export async function resolveFiles(
  model: string,
  options: ModelFileOptions,
  known: KnownArchitectures,
): Promise<ModelFiles> {
  const fromFolder = async (folder: string) => {
    checkFolder(model, folder, await kindOf(folder), options.revision);
    return { model, revision: undefined, ...(await selectFiles(await folderSource(folder), known)) };
  };
  checkNotAborted(options.signal);
  if (typeof model !== "string" || model.trim() === "") {
    throw new RerankError("OPTION_INVALID", `model is ${show(model)}; expected ${FORMS}.`);
  }
  if (model === "mini") return await fromFolder(ownFile("mini"));
  const folder = resolve(expandHome(model));
  if (isPath(model) || (await kindOf(folder)) === "folder") return await fromFolder(folder);
  if (isHubId(model)) return await resolveHubModel(model, options, known);
  throw new RerankError("MODEL_NOT_FOUND", `No model ${show(model)}: no folder ${folder}, and not ${FORMS}.`);
}

const FORMS = '"mini", a folder such as ./my-model, or a hub id such as "BAAI/bge-reranker-base"';

function checkFolder(model: string, folder: string, kind: Kind, revision: string | undefined): void {
  if (revision !== undefined) {
    const message = `revision is ${show(revision)}, but ${show(model)} is a folder; only hub models have revisions.`;
    throw new RerankError("OPTION_INVALID", message);
  }
  if (kind !== "folder") {
    const problem = kind === "nothing" ? "there is no folder" : "expected a folder, not a file:";
    throw new RerankError("MODEL_NOT_FOUND", `No model ${show(model)}: ${problem} ${folder}.`);
  }
}

/** A Windows path is one everywhere: its error then speaks of a folder and not of the hub. */
function isPath(model: string): boolean {
  return isAbsolute(model) || win32.isAbsolute(model) || /^(\.\.?|~)([\\/]|$)/.test(model);
}

type Kind = "folder" | "file" | "nothing";

async function kindOf(path: string): Promise<Kind> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ? "folder" : found ? "file" : "nothing";
}
