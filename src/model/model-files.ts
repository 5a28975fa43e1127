import { readFileSync } from "node:fs";
import { RerankError, show } from "../errors.js";
import type { RerankerOptions } from "../types.js";

export interface ModelFileOptions
  extends Pick<RerankerOptions, "revision" | "cacheDir" | "localFilesOnly" | "token" | "endpoint" | "onProgress"> {
  /** Stops a download with `ABORTED`; what has arrived is kept and the next call goes on from there. */
  signal?: AbortSignal | undefined;
}

/** What `config.json` says. */
export type Config = Readonly<Record<string, unknown>>;

/** A checkpoint that we write the graph for, or the repository's own graph. */
export type Weights =
  /** Absolute paths of one file, or of all shards. */
  | { kind: "safetensors"; shards: string[] }
  /** Absolute path; external data lies beside it. */
  | { kind: "onnx"; graph: string };

/** The files of a model on this machine, as plain data that crosses threads. */
export interface ModelFiles {
  /** The model as it was named. */
  model: string;
  /** Commit of a hub model, `undefined` for folders and the embedded model. */
  revision: string | undefined;
  /**
   * All that running it takes: name inside the repository, with forward slashes, to absolute path. In the hub cache a
   * path may be a symbolic link.
   */
  paths: Record<string, string>;
  config: Config;
  weights: Weights;
}

/** A model file's bytes. */
export function readModelFile(files: ModelFiles, name: string): Uint8Array {
  const path = files.paths[name];
  if (!path) throw new RerankError("MODEL_INVALID", `Model ${show(files.model)} has no ${name}.`);
  return readFileSync(path);
}
