import { show } from "../../errors.js";
import type { Config } from "../../model/model-files.js";
import {
  type Architecture,
  checkCrossEncoder,
  expectSetting,
  invalidConfig,
  type Network,
  readCount,
} from "./architecture.js";
import { type BertShape, quantizableOf, tensorsOf } from "./bert-shape.js";
import { Embeddings, Encoder } from "./encoder.js";

/** What tells the members of the family apart. */
export interface BertVariant extends Pick<BertShape, "prefix" | "head"> {
  name: string;
  /** Rows of the token type table where config.json does not say. */
  types: number;
  /** Tensors that checkpoints carry and the classifier does not read. */
  unused: RegExp;
  /** See `BertShape`. */
  firstPosition(config: Config): number;
}

/** Far more than any encoder has; work is done for each layer before its tensors are looked for. */
const MOST_LAYERS = 1000;

/** BERT and what is built like it: absolute positions, attention, GELU, and normalization behind each. */
export function bertLike(variant: BertVariant): Architecture {
  const positionsOf = (config: Config) => {
    const positions = readCount(config, "max_position_embeddings");
    const firstPosition = variant.firstPosition(config);
    if (firstPosition < positions) return { positions, firstPosition };
    throw invalidConfig(
      `max_position_embeddings ${positions} leaves no position behind pad_token_id ${firstPosition - 1}`,
    );
  };
  const maxLength = (config: Config) => {
    const { positions, firstPosition } = positionsOf(config);
    return positions - firstPosition;
  };
  const read = (config: Config): Network => {
    expectSetting(config, "hidden_act", "gelu");
    expectSetting(config, "position_embedding_type", "absolute");
    expectSetting(config, "is_decoder", false);
    checkCrossEncoder(config);
    const { prefix, head, types, unused } = variant;
    const hidden = readCount(config, "hidden_size");
    const heads = readCount(config, "num_attention_heads");
    if (hidden % heads !== 0) throw invalidConfig(`hidden_size ${hidden} is not a multiple of ${heads} heads`);
    const shape: BertShape = {
      prefix,
      head,
      hidden,
      heads,
      ...positionsOf(config),
      layers: readCount(config, "num_hidden_layers", undefined, MOST_LAYERS),
      ffn: readCount(config, "intermediate_size"),
      vocab: readCount(config, "vocab_size"),
      types: readCount(config, "type_vocab_size", types),
      layerNormEps: readEpsilon(config),
    };
    return {
      architecture: variant.name,
      layers: shape.layers,
      hidden,
      heads,
      vocab: shape.vocab,
      maxLength: maxLength(config),
      tensors: tensorsOf(shape),
      unused,
      labelWeight: `${head[1]}.weight`,
      quantizable: quantizableOf(shape),
      embed: (graph, options) => new Embeddings(graph, shape, options).sum(),
      score: (graph, embeddings, options) => new Encoder(graph, shape, options).logits(embeddings),
    };
  };
  return { name: variant.name, maxLength, read };
}

function readEpsilon(config: Config): number {
  const value = config.layer_norm_eps ?? 1e-12;
  if (typeof value === "number" && value >= 0 && value < 1) return value;
  throw invalidConfig(`layer_norm_eps is ${show(value)}; a small number is needed`);
}
