import { bertLike } from "./bert-like.js";

export const bert = bertLike({
  name: "bert",
  prefix: "bert",
  head: ["bert.pooler.dense", "classifier"],
  types: 2,
  unused: /(^|\.)(position_ids|token_type_ids)$/,
  firstPosition: () => 0,
});
