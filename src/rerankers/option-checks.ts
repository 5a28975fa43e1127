import { checkDevice } from "../runtime/devices.js";
import type { RerankerOptions } from "../types.js";
import { isBoolean, isFunction, isOneOf, isPositiveInteger, isText, type OptionChecks, secret } from "../validate.js";

/** Checks of `RerankerOptions`, for `checkOptions`. */
export const rerankerOptionChecks: OptionChecks<RerankerOptions> = {
  device: checkDevice,
  dtype: isOneOf("auto", "fp32", "fp16", "int8"),
  maxLength: isPositiveInteger,
  queryMaxLength: isPositiveInteger,
  queryInstruction: isText,
  passageInstruction: isText,
  overflow: isOneOf("truncate", "max-passage"),
  batchTokens: isPositiveInteger,
  worker: isBoolean,
  workers: isPositiveInteger,
  revision: isText,
  cacheDir: isText,
  localFilesOnly: isBoolean,
  token: secret(isText),
  endpoint: isText,
  onProgress: isFunction,
};
