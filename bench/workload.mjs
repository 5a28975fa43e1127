// One query and N passages of real prose, cut to log-normal pair lengths: median about 100 tokens, mean 135, at most 500.
// The prose is that of the Markdown files in our own locked dependencies, so everybody gets the same passages.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AutoTokenizer, env } from "@huggingface/transformers";
import { random } from "./measure.mjs";

const QUERY = "how do i configure the server so that a client can connect over an encrypted channel?";
const MEDIAN = 101;
const SIGMA = 0.8;
const LONGEST = 500;
/** <s> query </s></s> passage </s> */
const SPECIALS = 4;

/**
 * Writes the workload of N passages beside the model, unless it is there.
 * @returns paths of the texts `{query, passages}` and of the token ids of all pairs
 */
export async function makeWorkload(model, n) {
  const files = {
    texts: join(dirname(model), `workload-${n}.json`),
    ids: join(dirname(model), `workload-${n}.ids.json`),
  };
  if (existsSync(files.texts) && existsSync(files.ids)) return files;
  env.allowRemoteModels = false;
  env.localModelPath = dirname(model);
  const tokenizer = await AutoTokenizer.from_pretrained(basename(model));
  const draw = random(n);
  const words = prose(join(import.meta.dirname, "..", "node_modules"));
  const queryTokens = tokenizer.encode(QUERY, { add_special_tokens: false }).length;
  const costs = new Map();
  const cost = (word) => {
    if (!costs.has(word)) costs.set(word, tokenizer.encode(word, { add_special_tokens: false }).length);
    return costs.get(word);
  };
  const passages = lengths(n, draw).map((length) =>
    cut(words, Math.floor(draw() * words.length), length - queryTokens - SPECIALS, cost),
  );
  const ids = passages.map((passage) => tokenizer.encode(QUERY, { text_pair: passage }));
  writeFileSync(files.ids, JSON.stringify(ids));
  writeFileSync(files.texts, JSON.stringify({ query: QUERY, passages }));
  return files;
}

/** N pair lengths, in random order, that have the distribution's quantiles whatever N is. */
function lengths(n, draw) {
  const normals = Float64Array.from({ length: n * 99 }, () => normal(draw)).sort();
  return Array.from({ length: n }, (_, i) => Math.min(LONGEST, MEDIAN * Math.exp(SIGMA * normals[i * 99 + 49])))
    .map((length) => [draw(), length])
    .sort(([a], [b]) => a - b)
    .map(([, length]) => length);
}

/** Words from `start` on, as many as fit, at least one. */
function cut(words, start, budget, cost) {
  const taken = [];
  for (let left = budget, i = start; taken.length === 0 || left >= cost(words[i % words.length]); i++) {
    left -= cost(words[i % words.length]);
    taken.push(words[i % words.length]);
  }
  return taken.join(" ");
}

/** All words of the paragraphs that are plain prose, in order. */
function prose(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.md$/i.test(name));
  const paragraphs = new Set();
  for (const file of files.sort()) {
    for (const paragraph of readFileSync(join(folder, file), "utf8").split(/\n\s*\n/)) {
      // Lower case and plain ASCII: the vocabulary's normalizer, which not every contender implements, changes nothing.
      const words = paragraph.toLowerCase().match(/[!-~]+/g) ?? [];
      const plain = words.filter((word) => /^["'(]?[a-z]+[-'a-z]*[")']?[.,;:!?]?$/.test(word));
      if (words.length >= 20 && plain.length > 0.9 * words.length) paragraphs.add(words.join(" "));
    }
  }
  return [...paragraphs].flatMap((paragraph) => paragraph.split(" "));
}

/** https://en.wikipedia.org/wiki/Box–Muller_transform */
function normal(draw) {
  return Math.sqrt(-2 * Math.log(draw())) * Math.cos(2 * Math.PI * draw());
}
