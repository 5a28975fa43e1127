import type { Dtype } from "../types.js";

/** Scores that somebody else published for a model, to hold ourselves to. */
export interface PublishedScores {
  /** Hub id. */
  model: string;
  source: string;
  /** What the publisher computed with. */
  dtype: Exclude<Dtype, "auto">;
  /** Largest difference of logits that still counts as equal. */
  tolerance: number;
  pairs: readonly { query: string; passage: string; logit: number }[];
}

const PANDA = "what is panda?";
const GIANT_PANDA =
  "The giant panda (Ailuropoda melanoleuca), sometimes called a panda bear or simply panda, is a bear species endemic to China.";
const FRANCE = "What is the capital of France?";

/** What fastembed's own test allows for fp32. */
const FP32 = 1e-3;

/**
 * Half precision has steps of 0.004 between logits of 4 and 8, and rounding adds up over the layers. A wrong token or a
 * wrong layer moves a logit by whole units.
 */
const FP16 = 0.05;

const README = "https://github.com/FlagOpen/FlagEmbedding/tree/master/examples/inference/reranker";

export const publishedScores: readonly PublishedScores[] = [
  {
    model: "BAAI/bge-reranker-base",
    source: "https://github.com/FlagOpen/FlagEmbedding/issues/108",
    dtype: "fp32",
    tolerance: FP32,
    pairs: [
      { query: "query", passage: "passage", logit: 0.44748798 },
      { query: PANDA, passage: "hi", logit: -8.154392 },
      { query: PANDA, passage: GIANT_PANDA, logit: 6.182112 },
    ],
  },
  {
    model: "BAAI/bge-reranker-base",
    source: "https://github.com/qdrant/fastembed/blob/main/tests/test_text_cross_encoder.py",
    dtype: "fp32",
    tolerance: FP32,
    pairs: [
      { query: FRANCE, passage: "Paris is the capital of France.", logit: 6.15733337 },
      { query: FRANCE, passage: "Berlin is the capital of Germany.", logit: -3.65939403 },
    ],
  },
  {
    model: "BAAI/bge-reranker-large",
    source: README,
    dtype: "fp16",
    tolerance: FP16,
    pairs: [
      { query: "query", passage: "passage", logit: -1.5263671875 },
      { query: PANDA, passage: "hi", logit: -5.60546875 },
      { query: PANDA, passage: GIANT_PANDA, logit: 5.76171875 },
    ],
  },
  {
    model: "BAAI/bge-reranker-v2-m3",
    source: README,
    dtype: "fp16",
    tolerance: FP16,
    pairs: [
      { query: "query", passage: "passage", logit: -5.65234375 },
      { query: PANDA, passage: "hi", logit: -8.1875 },
      { query: PANDA, passage: GIANT_PANDA, logit: 5.26171875 },
    ],
  },
];
