import type { RerankerOptions } from "../types.js";

/** All options but those that each reranker has for itself, also where several share an engine. */
type Loading = Omit<
  RerankerOptions,
  "maxLength" | "queryMaxLength" | "queryInstruction" | "passageInstruction" | "overflow" | "onProgress"
>;

/** What decides what an engine computes, and where its model comes from: every such option, given or not. */
export type EngineOptions = { [Name in keyof Required<Loading>]: Loading[Name] } & Required<
  Pick<Loading, "device" | "dtype" | "worker">
>;

const DEFAULTS: EngineOptions = {
  device: "auto",
  dtype: "auto",
  batchTokens: undefined,
  worker: true,
  workers: undefined,
  revision: undefined,
  cacheDir: undefined,
  localFilesOnly: undefined,
  token: undefined,
  endpoint: undefined,
};

/** The engine's part of a reranker's options; a default that is left out is the same as one that is given. */
export function engineOptions(options: RerankerOptions): EngineOptions {
  const names = Object.keys(DEFAULTS) as (keyof EngineOptions)[];
  return Object.fromEntries(names.map((name) => [name, options[name] ?? DEFAULTS[name]])) as EngineOptions;
}
