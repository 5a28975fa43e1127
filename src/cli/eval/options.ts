import { isFiniteNumber, isPositiveInteger, isText, isWeight } from "../../validate.js";
import type { Options } from "../command.js";
import { deviceOptions, fileOptions, lengthOptions } from "../options.js";

const isSeed = (value: unknown) => (Number.isSafeInteger(value) ? undefined : "an integer");
const isNotNegative = (value: unknown) =>
  Number.isFinite(value) && Number(value) >= 0 ? undefined : "a number from 0 up";

/** What is compared. */
const settingOptions = {
  model: {
    kind: "text",
    short: "m",
    value: "LIST",
    check: isText,
    help: 'Hub ids, folders or mini, separated by commas; none for the first stage alone. Default "BAAI/bge-reranker-base".',
  },
  device: deviceOptions.device,
  dtype: {
    kind: "text",
    value: "LIST",
    help: "fp32, fp16, int8 or auto, separated by commas: each is a setting of its own.",
  },
  url: {
    kind: "text",
    value: "LIST",
    check: isText,
    help: "Inference engines, separated by commas. BGE_RERANKER_API_KEY is sent along where it is set.",
  },
  blend: { kind: "text", value: "LIST", check: isText, help: "Also blends with the first stage, by weight: 0.2,0.5." },
  random: { kind: "flag", help: "Also the candidates in random order." },
  ...lengthOptions,
  ...fileOptions,
} as const satisfies Options;

/** Where queries, judgments and candidates come from. */
const dataOptions = {
  run: { kind: "text", value: "FILE", check: isText, help: "Rerank this TREC run instead of what BM25 finds." },
  qrels: { kind: "text", value: "FILE", check: isText, help: "Judgments instead of the folder's own." },
  split: {
    kind: "text",
    value: "NAME",
    check: isText,
    help: "Which judgments of the folder. Default test, or the only ones.",
  },
  depth: { kind: "number", value: "N", check: isPositiveInteger, help: "Candidates of each query. Default 100." },
  k1: {
    kind: "number",
    value: "X",
    check: isNotNegative,
    help: "BM25: how soon repeated words stop counting. Default 1.2.",
  },
  b: { kind: "number", value: "X", check: isWeight, help: "BM25: how much long passages are held back. Default 0.75." },
  "c-mteb": {
    kind: "text",
    value: "FOLDER",
    check: isText,
    help: "BAAI's table instead: MAP over the C-MTEB tasks in FOLDER.",
  },
} as const satisfies Options;

/** What is computed, and where it goes. */
const resultOptions = {
  measures: {
    kind: "text",
    value: "LIST",
    check: isText,
    help: "map, mrr, ndcg, recall, precision, success, with @k. The first decides. Default ndcg@10,map,mrr@10,recall@10,precision@5,success@1.",
  },
  precision: {
    kind: "number",
    value: "P",
    check: isWeight,
    help: "Precision that the recommended threshold should have. Default 0.8.",
  },
  seed: { kind: "number", value: "N", check: isSeed, help: "Of everything drawn by lot. Default 1." },
  checkpoint: {
    kind: "text",
    value: "FILE",
    check: isText,
    help: "Keep scores here; started again, go on where it stopped.",
  },
  calibrate: {
    kind: "text",
    value: "FILE",
    check: isText,
    help: "Make chances of one model's scores, and write what rank and the adapters take as calibration.",
  },
  report: {
    kind: "text",
    value: "FILE",
    check: isText,
    help: "Write a page with charts and examples, one HTML file that needs nothing else.",
  },
  json: {
    kind: "text",
    value: "FILE",
    check: isText,
    help: "Write everything as JSON; - is standard output, without the table.",
  },
  markdown: { kind: "text", value: "FILE", check: isText, help: "Write the table and what it means as Markdown." },
  baseline: { kind: "text", value: "FILE", check: isText, help: "Compare with what --json wrote earlier." },
  "fail-under": {
    kind: "number",
    value: "X",
    check: isFiniteNumber,
    help: "Exit 1 when a reranker's first measure is under X.",
  },
  "fail-drop": {
    kind: "number",
    value: "X",
    check: isNotNegative,
    help: "Exit 1 when it fell by more than X below the baseline.",
  },
} as const satisfies Options;

export const evalOptions = { ...settingOptions, ...dataOptions, ...resultOptions } as const satisfies Options;
