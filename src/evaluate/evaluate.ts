import { RerankError } from "../errors.js";
import {
  checkOptions,
  isAbortSignal,
  isFunction,
  isPositiveInteger,
  isText,
  isWeight,
  type OptionChecks,
} from "../validate.js";
import { analyse } from "./analysis/analyse.js";
import { blended } from "./analysis/blend-sweep.js";
import type { EvaluationData } from "./data/data.js";
import type { Analysis, EvaluatedSetting, Evaluation } from "./evaluation.js";
import { DEFAULT_MEASURES, type Measures, measures } from "./metrics/measures.js";
import { Checkpoint } from "./run/checkpoint.js";
import { type EvaluationProgress, scoreAll } from "./run/score.js";
import type { Setting } from "./run/setting.js";
import { speedOf } from "./run/speed.js";
import { Resamples } from "./statistics/bootstrap.js";
import { compareAll, letterOf, letters } from "./statistics/compare.js";
import { Random } from "./statistics/random.js";

export interface EvaluateOptions {
  /** What is measured; the first decides. @default ndcg@10, map, mrr@10, recall@10, precision@5, success@1; for C-MTEB map and mrr@10 */
  measures?: readonly string[];
  /** Further settings: every reranker blended with the first stage at these weights, from 0 to 1. @default none */
  weights?: readonly number[];
  /** A further setting: the candidates in random order. @default false */
  random?: boolean;
  /** The precision that the recommended threshold should have, from 0 to 1. @default 0.8 */
  precision?: number;
  /** Of everything that is drawn by lot: the same seed gives the same figures. @default 1 */
  seed?: number;
  /** Resamples behind each interval. A positive integer. @default 2000 */
  resamples?: number;
  /** A file that takes the scores as they come: started again with it, an evaluation goes on where it stopped. @default none */
  checkpoint?: string;
  signal?: AbortSignal;
  /** Called after each query. */
  onProgress?: (progress: EvaluationProgress) => void;
}

const isList = (value: unknown) => (Array.isArray(value) && value.length > 0 ? undefined : "a list");

const optionChecks: OptionChecks<EvaluateOptions> = {
  measures: isList,
  weights: (value) =>
    isList(value) ?? ((value as unknown[]).some((w) => isWeight(w)) ? "a list of numbers from 0 to 1" : undefined),
  random: (value) => (typeof value === "boolean" ? undefined : "true or false"),
  precision: isWeight,
  seed: (value) => (Number.isSafeInteger(value) ? undefined : "an integer"),
  resamples: isPositiveInteger,
  checkpoint: isText,
  signal: isAbortSignal,
  onProgress: isFunction,
};

/** A setting before it is compared: every measure of every query. */
interface Measured extends Pick<EvaluatedSetting, "name" | "kind" | "info" | "latency"> {
  perQuery: number[][];
}

/**
 * Finds out whether reranking helps: scores every query's candidates with every setting, and compares them with the first
 * stage and with each other.
 * @throws RerankError `OPTION_INVALID`, `INPUT_INVALID`, and what the settings' rerankers throw
 */
export async function evaluate(
  data: EvaluationData,
  settings: readonly Setting[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkOptions("evaluate", options, optionChecks);
  const { seed = 1, resamples = 2000, precision = 0.8, signal, onProgress } = options;
  const metric = measures(options.measures ?? DEFAULT_MEASURES[data.protocol], data.protocol);
  if (options.weights && data.firstStage === undefined) {
    throw new RerankError("OPTION_INVALID", "weights blend with a first stage, and these passages have none.");
  }
  const checkpoint = options.checkpoint ? await Checkpoint.open(options.checkpoint, data) : Checkpoint.none();
  const scored = await scoreAll(data, settings, { checkpoint, signal, onProgress });
  const measured: Measured[] = [];
  const analyses: Analysis[] = [];
  const first = data.firstStage === undefined ? undefined : firstStage(data, data.firstStage, metric);
  if (first) measured.push(first);
  if (options.random) measured.push(randomOrder(data, metric, seed));
  for (const [index, { name }] of settings.entries()) {
    const { info, queries } = scored[index]!;
    const logits = queries.map(({ scores }) => scores);
    const perQuery = data.queries.map((query, i) => measureWith(query, logits[i]!, metric));
    const latency = speedOf(queries);
    measured.push({ name, kind: "reranker", info, latency, perQuery });
    const context = { data, name, logits, perQuery, first: first?.perQuery, metric, seed, precision };
    const { analysis, crossValidated } = await analyse(context);
    analyses.push(analysis);
    const blends = (options.weights ?? []).map((weight) => ({
      name: `${name} + ${weight} ${data.firstStage}`,
      perQuery: data.queries.map((query, i) => blended(query, logits[i]!, weight, metric)),
    }));
    if (crossValidated)
      blends.push({ name: `${name} + ${data.firstStage}, cross-validated`, perQuery: crossValidated });
    measured.push(...blends.map((blend) => ({ kind: "blend" as const, info, latency, ...blend })));
  }
  return summarize(data, metric, measured, analyses, Resamples.random(data.queries.length, seed, resamples));
}

type Query = EvaluationData["queries"][number];

const measureWith = ({ candidates, judgments }: Query, scores: ArrayLike<number>, metric: Measures) =>
  metric.of({ ids: candidates.ids, scores, judgments });

function firstStage(data: EvaluationData, name: string, metric: Measures): Measured {
  const perQuery = data.queries.map((query) => measureWith(query, query.candidates.scores, metric));
  return { name, kind: "first stage", info: undefined, latency: undefined, perQuery };
}

function randomOrder(data: EvaluationData, metric: Measures, seed: number): Measured {
  const random = new Random(seed);
  const perQuery = data.queries.map((query) => measureWith(query, random.order(query.candidates.ids.length), metric));
  return { name: "random order", kind: "random", info: undefined, latency: undefined, perQuery };
}

function summarize(
  data: EvaluationData,
  { names }: Measures,
  measured: readonly Measured[],
  analyses: Analysis[],
  resamples: Resamples,
): Evaluation {
  const column = ({ perQuery }: Measured, m: number) => perQuery.map((values) => values[m]!);
  const comparisons = compareAll(
    measured.map((setting) => column(setting, 0)),
    resamples,
  );
  const beats = letters(measured.length, comparisons);
  const settings = measured.map((setting, index): EvaluatedSetting => {
    const { name, kind, info, latency, perQuery } = setting;
    const metrics = Object.fromEntries(names.map((measure, m) => [measure, resamples.interval(column(setting, m))]));
    const named = data.queries.map(({ id }, query) => [
      id,
      Object.fromEntries(names.map((m, i) => [m, perQuery[query]![i]!])),
    ]);
    const letter = letterOf(index);
    return { name, kind, letter, beats: beats[index]!, info, metrics, latency, perQuery: Object.fromEntries(named) };
  });
  const relevantIn = (ids: Iterable<string>, { judgments }: Query) =>
    [...ids].filter((id) => (judgments.get(id) ?? 0) >= 1).length;
  const sum = (count: (query: Query) => number) => data.queries.reduce((total, query) => total + count(query), 0);
  return {
    format: "bge-reranker evaluation",
    version: 1,
    data: {
      name: data.name,
      protocol: data.protocol,
      queries: data.queries.length,
      pairs: sum(({ candidates }) => candidates.ids.length),
      relevantFound: sum((query) => relevantIn(query.candidates.ids, query)),
      relevant: sum((query) => relevantIn(query.judgments.keys(), query)),
      firstStage: data.firstStage,
    },
    measures: [...names],
    settings,
    comparisons: comparisons.map(({ a, b, ...rest }) => ({ a: measured[a]!.name, b: measured[b]!.name, ...rest })),
    analyses,
  };
}
