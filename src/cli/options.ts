import { rerankerOptionChecks as checks } from "../rerankers/option-checks.js";
import { deviceNames } from "../runtime/devices.js";
import type { Device, Dtype, Overflow, RerankerOptions } from "../types.js";
import { isText } from "../validate.js";
import type { Options, Values } from "./command.js";

/** Options of commands that look for a model's files. */
export const fileOptions = {
  revision: {
    kind: "text",
    value: "REV",
    check: checks.revision,
    help: 'Branch, tag or commit of a hub model. Default "main".',
  },
  "cache-dir": {
    kind: "text",
    value: "DIR",
    check: checks.cacheDir,
    help: "Hub cache folder. Default: HF_HUB_CACHE, else hub in HF_HOME, else ~/.cache/huggingface/hub.",
  },
  offline: { kind: "flag", help: "Open no connection; use what the cache holds. Also: HF_HUB_OFFLINE=1." },
  endpoint: {
    kind: "text",
    value: "URL",
    check: isText,
    help: "Hub address, for mirrors. Default: HF_ENDPOINT, else https://huggingface.co.",
  },
} as const satisfies Options;

/** Options of commands that run a model. */
export const deviceOptions = {
  device: {
    kind: "text",
    value: "D",
    check: checks.device,
    help: `auto (default), ${deviceNames().join(", ")}; "cuda:1" is the second one.`,
  },
  dtype: { kind: "text", value: "T", check: checks.dtype, help: "auto (default), fp32, fp16 or int8." },
} as const satisfies Options;

/** Options of commands that score texts. */
export const lengthOptions = {
  "max-length": {
    kind: "number",
    value: "N",
    check: checks.maxLength,
    help: "Longest pair of query and passage, in tokens. Default: the model's limit, at most 512.",
  },
  overflow: {
    kind: "text",
    value: "MODE",
    check: checks.overflow,
    help: "Passages that are too long: truncate (default), or max-passage (best of overlapping windows).",
  },
} as const satisfies Options;

type Known = Values<typeof fileOptions & typeof deviceOptions & typeof lengthOptions>;

/** The library's options for what was given on the command line. */
export function toRerankerOptions(values: Known): RerankerOptions {
  return {
    ...toFileOptions(values),
    device: values.device as Device | undefined,
    dtype: values.dtype as Dtype | undefined,
    maxLength: values["max-length"],
    overflow: values.overflow as Overflow | undefined,
  };
}

/** Those of them that lead to a model's files. */
export function toFileOptions(values: Values<typeof fileOptions>) {
  const { revision, endpoint, offline: localFilesOnly, "cache-dir": cacheDir } = values;
  return { revision, cacheDir, localFilesOnly, endpoint };
}
