// The ways to rerank that are compared, each as its documentation shows it. A contender has
//   load(model)              library, tokenizer and model, ready to score
//   score(query, passages, ids)   logits in input order; ids are the pairs' tokens, for those that read no text
// A contender that tokenizes nothing says `needsIds`; one that scores nothing (a bound) gives no logits.
import { basename, dirname, join } from "node:path";

export const contenders = {
  "tjs-fp32": () => transformersJs("fp32"),
  "tjs-q8": () => transformersJs("q8"),
  "llama-f16": () => nodeLlamaCpp("f16"),
  "llama-q8_0": () => nodeLlamaCpp("q8_0"),
  "ort-fp32": () => onnxRuntime("model.onnx"),
  "ort-int8": () => onnxRuntime("model_quantized.onnx"),
  "products-fp32": () => matrixProducts("fp32"),
  "products-int8": () => matrixProducts("int8"),
  "ours-fp32": () => ours("fp32"),
  "ours-int8": () => ours("int8"),
};

/** What a table calls them. */
export const titles = {
  "tjs-fp32": "transformers.js fp32, one padded batch",
  "tjs-q8": "transformers.js q8, one padded batch",
  "llama-f16": "node-llama-cpp F16, rankAll",
  "llama-q8_0": "node-llama-cpp Q8_0, rankAll",
  "ort-fp32": "onnxruntime-node fp32, ready tokens",
  "ort-int8": "onnxruntime-node int8, ready tokens",
  "products-fp32": "matrix products only, fp32",
  "products-int8": "matrix products only, int8",
  "ours-fp32": "bge-reranker fp32",
  "ours-int8": "bge-reranker int8",
};

/** One padded batch of more passages than this needs more memory than a machine has. */
export const mostPassages = { "tjs-fp32": 200, "tjs-q8": 200 };

/** https://huggingface.co/docs/transformers.js: tokenizer with text_pair, padding and truncation, then the model. */
function transformersJs(dtype) {
  let tokenizer;
  let model;
  return {
    async load(folder) {
      const { env, AutoTokenizer, AutoModelForSequenceClassification } = await import("@huggingface/transformers");
      env.allowRemoteModels = false;
      env.localModelPath = dirname(folder);
      tokenizer = await AutoTokenizer.from_pretrained(basename(folder));
      model = await AutoModelForSequenceClassification.from_pretrained(basename(folder), { dtype, device: "cpu" });
    },
    async score(query, passages) {
      const queries = new Array(passages.length).fill(query);
      const inputs = tokenizer(queries, { text_pair: passages, padding: true, truncation: true });
      const { logits } = await model(inputs);
      return logits.data;
    },
  };
}

/** https://node-llama-cpp.withcat.ai/guide/embedding#reranking */
function nodeLlamaCpp(variant) {
  let context;
  return {
    async load(folder) {
      const { getLlama } = await import("node-llama-cpp");
      const llama = await getLlama();
      const model = await llama.loadModel({ modelPath: join(folder, `model-${variant}.gguf`) });
      context = await model.createRankingContext();
    },
    async score(query, passages) {
      const ranks = await context.rankAll(query, passages);
      return ranks.map((rank) => Math.log(rank / (1 - rank)));
    },
  };
}

async function openSession(file) {
  const ort = await import("onnxruntime-node");
  return { ort, session: await ort.InferenceSession.create(file) };
}

/** The plain loop: one pair a run, no padding, tokens ready. */
function onnxRuntime(file) {
  let ort;
  let session;
  return {
    needsIds: true,
    async load(folder) {
      ({ ort, session } = await openSession(join(folder, "onnx", file)));
    },
    async score(_query, _passages, ids) {
      const logits = [];
      for (const pair of ids) {
        const shape = [1, pair.length];
        const input_ids = new ort.Tensor("int64", BigInt64Array.from(pair, BigInt), shape);
        const attention_mask = new ort.Tensor("int64", new BigInt64Array(pair.length).fill(1n), shape);
        logits.push((await session.run({ input_ids, attention_mask })).logits.data[0]);
      }
      return logits;
    },
  };
}

/** Only the products of the base shape, every layer in full, one passage a run; attention in float32. */
function matrixProducts(kind) {
  const LAYERS = 12;
  const HEADS = 12;
  const HIDDEN = 768;
  const INNER = 3072;
  const LONGEST = 512;
  let linear;
  let attention;
  const bytes = Uint8Array.from({ length: LONGEST * INNER }, (_, i) => (i * 48271) % 251);
  const floats = Float32Array.from({ length: LONGEST * LONGEST * HEADS }, (_, i) => ((i * 48271) % 251) / 125 - 1);
  // Inputs are cut from values that are there already: to make them is no product.
  const tensor = (type, ...shape) => {
    const values = type === "uint8" ? bytes : floats;
    return new linear.ort.Tensor(
      type,
      values.subarray(
        0,
        shape.reduce((a, b) => a * b),
      ),
      shape,
    );
  };
  return {
    needsIds: true,
    async load(folder) {
      linear = await openSession(join(folder, "products", `linear-${kind}.onnx`));
      attention = await openSession(join(folder, "products", "attention.onnx"));
    },
    async score(_query, _passages, ids) {
      const type = kind === "int8" ? "uint8" : "float32";
      for (const { length } of ids) {
        await linear.session.run({ x: tensor(type, 1, length, HIDDEN), f: tensor(type, 1, length, INNER) });
        const feed = {
          q: tensor("float32", 1, HEADS, length, HIDDEN / HEADS),
          k: tensor("float32", 1, HEADS, HIDDEN / HEADS, length),
          p: tensor("float32", 1, HEADS, length, length),
          v: tensor("float32", 1, HEADS, length, HIDDEN / HEADS),
        };
        for (let layer = 0; layer < LAYERS; layer++) await attention.session.run(feed);
      }
    },
  };
}

/** Text in, ranking out. */
function ours(dtype) {
  let reranker;
  return {
    async load(folder) {
      const { loadReranker } = await import("../dist/src/index.js");
      reranker = await loadReranker(folder, { device: "cpu", dtype });
    },
    async score(query, passages) {
      const logits = new Array(passages.length);
      for (const { index, score } of await reranker.rank(query, passages, { normalize: false })) logits[index] = score;
      return logits;
    },
  };
}
