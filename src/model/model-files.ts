import { readFileSync } from "node:fs";
import { RerankError, show } from "../errors.js";
import type { RerankerOptions } from "../types.js";

export interface ModelFileOptions
  extends Pick<RerankerOptions, "revision" | "cacheDir" | "localFilesOnly" | "token" | "endpoint" | "onProgress"> {
  /** Stops a download with `ABORTED`; what has arrived is kept and the next call goes on from there. */
  signal?: AbortSignal | undefined;
}

/** The files of a model on this machine. */
export interface ModelFiles {
  /** The model as it was named. */
  model: string;
  /** Commit of a hub model, `undefined` for folders and the embedded model. */
  revision: string | undefined;
  /**
   * Name inside the repository, with forward slashes, to absolute path. Always `config.json` and `tokenizer.json`, and
   * the weights: `model.safetensors`, or `model.safetensors.index.json` and its shards, or `onnx/model.onnx` and its
   * external data. In the hub cache a path may be a symbolic link.
   */
  paths: Record<string, string>;
}

/** A model file's content, parsed. */
export function readJson(files: ModelFiles, name: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(readModelFile(files, name)).toString("utf8")) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof RerankError) throw cause;
    throw new RerankError("MODEL_INVALID", `${name} of model ${show(files.model)} is not JSON.`, { cause });
  }
}

/** A model file's bytes. */
export function readModelFile(files: ModelFiles, name: string): Uint8Array {
  const path = files.paths[name];
  if (!path) throw new RerankError("MODEL_INVALID", `Model ${show(files.model)} has no ${name}.`);
  return readFileSync(path);
}
