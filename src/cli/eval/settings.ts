import type { Setting } from "../../evaluate/index.js";
import { remoteReranker } from "../../remote/reranker.js";
import { DEFAULT_MODEL } from "../../rerankers/local.js";
import { rerankerOptionChecks } from "../../rerankers/option-checks.js";
import { sharedReranker } from "../../rerankers/shared.js";
import type { Dtype, RerankerOptions } from "../../types.js";
import { isText, type OptionCheck } from "../../validate.js";
import { UsageError } from "../command.js";
import type { Io } from "../io.js";

interface Wanted {
  model: string | undefined;
  dtype: string | undefined;
  url: string | undefined;
  /** Without `dtype`. */
  options: RerankerOptions;
}

/** A setting for every model and dtype, and for every engine; and which model each of them runs. */
export function settingsOf({ model, dtype, url, options }: Wanted, { env }: Io): { setting: Setting; model: string }[] {
  const engines = url === undefined ? [] : list("url", url, isUrl);
  const noModel = model === "none" || (model === undefined && engines.length > 0);
  const models = noModel ? [] : list("model", model ?? DEFAULT_MODEL, isText);
  const dtypes = dtype === undefined ? [undefined] : list("dtype", dtype, rerankerOptionChecks.dtype);
  const local = models.flatMap((model) =>
    dtypes.map((dtype) => {
      const own = { ...options, ...(dtype !== undefined && { dtype: dtype as Dtype }) };
      const { onProgress: _, ...key } = own;
      const name = dtypes.length === 1 ? model : `${model} ${dtype}`;
      return { setting: { name, key: JSON.stringify(key), open: () => sharedReranker(model, own) }, model };
    }),
  );
  const apiKey = env.BGE_RERANKER_API_KEY;
  const remote = engines.map((url) => {
    const open = () => remoteReranker({ url, ...(apiKey && { apiKey }) });
    return { setting: { name: url, open }, model: url };
  });
  return [...local, ...remote];
}

const isUrl: OptionCheck = (value) => (URL.canParse(String(value)) ? undefined : "a URL");

/** A comma-separated list of an option. */
export function list(name: string, given: string, check: OptionCheck): string[] {
  const items = given.split(",").map((item) => item.trim());
  for (const item of items) {
    const expected = check(item);
    if (expected) throw new UsageError(`--${name} must be ${expected}, got ${item === "" ? "nothing" : item}`);
  }
  return items;
}
