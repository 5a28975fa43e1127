// One query and N passages of real prose, cut to log-normal pair lengths (median about 100 tokens, mean 135, at most 500)
// or to one length. The prose is that of the Markdown files in our own locked dependencies, so everybody gets the same
// passages.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { random } from "./measure.mjs";

const QUERY = "how do i configure the server so that a client can connect over an encrypted channel?";
const MEDIAN = 101;
const SIGMA = 0.8;
const LONGEST = 500;
/** <s> query </s></s> passage </s> */
const SPECIALS = 4;

/** Written where the dependencies do not go along (gpu/pack.sh). */
const PROSE_FILE = join(import.meta.dirname, "prose.txt");

/**
 * Writes the workload of N passages beside the model, unless it is there.
 * @returns paths of the texts `{query, passages}` and of the token ids of all pairs
 */
export function makeWorkload(model, n) {
  const files = {
    texts: join(dirname(model), `workload-${n}.json`),
    ids: join(dirname(model), `workload-${n}.ids.json`),
  };
  if (existsSync(files.texts) && existsSync(files.ids)) return files;
  const { ids, ...texts } = mixedPairs(openTokenizer(model), n);
  writeFileSync(files.ids, JSON.stringify(ids));
  writeFileSync(files.texts, JSON.stringify(texts));
  return files;
}

/** The tokenizer of a model's folder: the implementation that transformers.js uses, not ours. */
export function openTokenizer(model) {
  const read = (name) => JSON.parse(readFileSync(join(model, name), "utf8"));
  const tokenizer = new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
  return (text, options) => tokenizer.encode(text, options).ids;
}

/** N passages of mixed lengths: `{query, passages, ids}`. */
export function mixedPairs(encode, n) {
  const draw = random(n);
  return pairs(encode, lengths(n, draw), draw);
}

/** N passages whose pairs all have exactly `length` tokens. */
export function equalPairs(encode, n, length) {
  return pairs(encode, new Array(n).fill(length), random(n), true);
}

function pairs(encode, lengths, draw, exact = false) {
  const words = prose();
  const queryTokens = encode(QUERY, { add_special_tokens: false }).length;
  const costs = new Map();
  const cost = (word) => {
    if (!costs.has(word)) costs.set(word, encode(word, { add_special_tokens: false }).length);
    return costs.get(word);
  };
  const passages = lengths.map((length) =>
    cut(words, Math.floor(draw() * words.length), length - queryTokens - SPECIALS, cost, exact),
  );
  const ids = passages.map((passage) => encode(QUERY, { text_pair: passage }));
  if (exact && ids.some((pair, i) => pair.length !== lengths[i]))
    throw new Error("A pair is not as long as it should be.");
  return { query: QUERY, passages, ids };
}

/** N pair lengths, in random order, that have the distribution's quantiles whatever N is. */
function lengths(n, draw) {
  const normals = Float64Array.from({ length: n * 99 }, () => normal(draw)).sort();
  return Array.from({ length: n }, (_, i) => Math.min(LONGEST, MEDIAN * Math.exp(SIGMA * normals[i * 99 + 49])))
    .map((length) => [draw(), length])
    .sort(([a], [b]) => a - b)
    .map(([, length]) => length);
}

/** Words from `start` on, as many as fit, at least one; with `fill` what is left is made up by a word of one token. */
function cut(words, start, budget, cost, fill) {
  const taken = [];
  let left = budget;
  for (let i = start; taken.length === 0 || left >= cost(words[i % words.length]); i++) {
    left -= cost(words[i % words.length]);
    taken.push(words[i % words.length]);
  }
  if (fill) taken.push(...new Array(Math.max(0, left)).fill("the"));
  return taken.join(" ");
}

/** All words of the paragraphs that are plain prose, in order. */
export function prose() {
  if (existsSync(PROSE_FILE)) return readFileSync(PROSE_FILE, "utf8").split(" ");
  const folder = join(import.meta.dirname, "..", "node_modules");
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
