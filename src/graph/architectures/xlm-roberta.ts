import { bertLike } from "./bert-like.js";
import { robertaVariant } from "./roberta.js";

export const xlmRoberta = bertLike({ name: "xlm-roberta", ...robertaVariant });
