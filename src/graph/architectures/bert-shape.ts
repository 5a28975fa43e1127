import type { QuantizableLayer } from "./architecture.js";

/** What the graph is made from. */
export interface BertShape {
  /** Of the tensors of embeddings and encoder. */
  prefix: string;
  /** The two layers of the classification head: dense with tanh, then one logit. */
  head: [dense: string, out: string];
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
  /** Row of the position table for the first token. */
  firstPosition: number;
}

/** Names of a layer's dense layers. */
export function layerNames(prefix: string, index: number) {
  const layer = `${prefix}.encoder.layer.${index}`;
  const attention = `${layer}.attention`;
  return {
    query: `${attention}.self.query`,
    key: `${attention}.self.key`,
    value: `${attention}.self.value`,
    attended: `${attention}.output.dense`,
    attentionNorm: `${attention}.output.LayerNorm`,
    intermediate: `${layer}.intermediate.dense`,
    output: `${layer}.output.dense`,
    outputNorm: `${layer}.output.LayerNorm`,
  };
}

/** Shapes of all tensors, by name. */
export function tensorsOf({
  prefix,
  head,
  layers,
  hidden,
  ffn,
  vocab,
  positions,
  types,
}: BertShape): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  const dense = (name: string, out: number, input: number) =>
    shapes.set(`${name}.weight`, [out, input]).set(`${name}.bias`, [out]);
  const norm = (name: string) => shapes.set(`${name}.weight`, [hidden]).set(`${name}.bias`, [hidden]);
  shapes.set(`${prefix}.embeddings.word_embeddings.weight`, [vocab, hidden]);
  shapes.set(`${prefix}.embeddings.position_embeddings.weight`, [positions, hidden]);
  shapes.set(`${prefix}.embeddings.token_type_embeddings.weight`, [types, hidden]);
  norm(`${prefix}.embeddings.LayerNorm`);
  for (let i = 0; i < layers; i++) {
    const names = layerNames(prefix, i);
    for (const name of [names.query, names.key, names.value, names.attended]) dense(name, hidden, hidden);
    norm(names.attentionNorm);
    dense(names.intermediate, ffn, hidden);
    dense(names.output, hidden, ffn);
    norm(names.outputNorm);
  }
  dense(head[0], hidden, hidden);
  dense(head[1], 1, hidden);
  return shapes;
}

/**
 * All layers of the encoder but the first one's queries, keys and values, 2 % of a base model's products: they read the
 * embeddings, whose rounding nothing later can repair. bench/agreement.mjs measures the error that is left.
 */
export function quantizableOf({ prefix, layers }: BertShape): QuantizableLayer[] {
  const quantizable: QuantizableLayer[] = [];
  for (let i = 0; i < layers; i++) {
    const { query, key, value, attended, intermediate, output } = layerNames(prefix, i);
    if (i > 0) quantizable.push(...[query, key, value].map((name) => ({ name, sharesInputOf: query })));
    quantizable.push(...[attended, intermediate, output].map((name) => ({ name, sharesInputOf: name })));
  }
  return quantizable;
}
