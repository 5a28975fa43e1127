import { RerankError, show } from "../errors.js";

export type Family = "xlm-roberta" | "roberta" | "bert";

/** The numbers of a BERT-like sequence classifier with one label. */
export interface Architecture {
  family: Family;
  layers: number;
  hidden: number;
  heads: number;
  ffn: number;
  vocab: number;
  /** rows of the position table */
  positions: number;
  /** rows of the token type table */
  types: number;
  layerNormEps: number;
  /** position of the first token; RoBERTa counts from its padding index + 1 */
  firstPosition: number;
  /** longest pair in tokens that the position table allows */
  maxLength: number;
}

const FAMILIES: readonly string[] = ["xlm-roberta", "roberta", "bert"] satisfies Family[];

/** Whether we write the graph of this `model_type` ourselves. */
export function isKnownFamily(modelType: unknown): modelType is Family {
  return typeof modelType === "string" && FAMILIES.includes(modelType);
}

/**
 * Reads a Hugging Face `config.json`.
 * @throws {RerankError} `MODEL_UNSUPPORTED` for another architecture or more than one label, `MODEL_INVALID` for nonsense.
 */
export function parseConfig(config: Record<string, unknown>): Architecture {
  const family = config.model_type;
  if (!isKnownFamily(family)) {
    throw unsupported(
      `model_type ${show(family)}`,
      `one of ${FAMILIES.join(", ")}, or a repository with onnx/model.onnx`,
    );
  }
  checkVariant(config);
  const hidden = count(config, "hidden_size");
  const heads = count(config, "num_attention_heads");
  if (hidden % heads !== 0) {
    throw new RerankError("MODEL_INVALID", `config.json: hidden_size ${hidden} is not a multiple of ${heads} heads.`);
  }
  const positions = count(config, "max_position_embeddings");
  const firstPosition = family === "bert" ? 0 : padding(config) + 1;
  if (firstPosition >= positions) {
    throw new RerankError(
      "MODEL_INVALID",
      `config.json: max_position_embeddings ${positions} leaves no position behind pad_token_id ${firstPosition - 1}.`,
    );
  }
  return {
    family,
    layers: count(config, "num_hidden_layers", undefined, MOST_LAYERS),
    hidden,
    heads,
    ffn: count(config, "intermediate_size"),
    vocab: count(config, "vocab_size"),
    positions,
    types: count(config, "type_vocab_size", family === "bert" ? 2 : 1),
    layerNormEps: epsilon(config),
    firstPosition,
    maxLength: positions - firstPosition,
  };
}

/** What changes the arithmetic must be refused, not ignored. */
function checkVariant(config: Record<string, unknown>): void {
  const expect = (key: string, wanted: unknown) => {
    const value = config[key] ?? wanted;
    if (value !== wanted) throw unsupported(`${key} ${show(value)}`, show(wanted));
  };
  expect("hidden_act", "gelu");
  expect("position_embedding_type", "absolute");
  expect("is_decoder", false);
  const kinds = config.architectures;
  if (Array.isArray(kinds) && kinds.length > 0 && !kinds.some((kind) => /ForSequenceClassification$/.test(kind))) {
    throw unsupported(`the architecture ${show(kinds.join(", "))}`, "cross-encoders (…ForSequenceClassification)");
  }
  const labels = config.id2label;
  const count = typeof labels === "object" && labels !== null ? Object.keys(labels).length : config.num_labels;
  if (count !== undefined && count !== 1) throw unsupported(`${show(count)} labels`, "a cross-encoder with one label");
}

/** Far more than any encoder has; work is done for each layer before its tensors are looked for. */
const MOST_LAYERS = 1000;

function count(
  config: Record<string, unknown>,
  key: string,
  fallback?: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const value = config[key] ?? fallback;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1 || value > most) {
    const limit = most < Number.MAX_SAFE_INTEGER ? ` of at most ${most}` : "";
    throw new RerankError(
      "MODEL_INVALID",
      `config.json: ${key} is ${show(value)}; a positive integer${limit} is needed.`,
    );
  }
  return value;
}

function padding(config: Record<string, unknown>): number {
  const value = config.pad_token_id ?? 1;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new RerankError("MODEL_INVALID", `config.json: pad_token_id is ${show(value)}; a token id is needed.`);
  }
  return value;
}

function epsilon(config: Record<string, unknown>): number {
  const value = config.layer_norm_eps ?? 1e-12;
  if (typeof value !== "number" || !(value >= 0 && value < 1)) {
    throw new RerankError("MODEL_INVALID", `config.json: layer_norm_eps is ${show(value)}; a small number is needed.`);
  }
  return value;
}

function unsupported(given: string, expected: string): RerankError {
  return new RerankError("MODEL_UNSUPPORTED", `This model has ${given}; bge-reranker runs ${expected}.`);
}
