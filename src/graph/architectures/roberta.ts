import { show } from "../../errors.js";
import type { Config } from "../../model/model-files.js";
import { invalidConfig } from "./architecture.js";
import { type BertVariant, bertLike } from "./bert-like.js";

/** What XLM-RoBERTa has in common with RoBERTa: all but the name. */
export const robertaVariant: Omit<BertVariant, "name"> = {
  prefix: "roberta",
  head: ["classifier.dense", "classifier.out_proj"],
  types: 1,
  // Checkpoints often carry a pooler that the classifier does not read.
  unused: /(^|\.)(position_ids|token_type_ids)$|^roberta\.pooler\./,
  firstPosition: behindPadding,
};

export const roberta = bertLike({ name: "roberta", ...robertaVariant });

/** RoBERTa counts positions from the padding index + 1. */
function behindPadding(config: Config): number {
  const value = config.pad_token_id ?? 1;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value + 1;
  throw invalidConfig(`pad_token_id is ${show(value)}; a token id is needed`);
}
