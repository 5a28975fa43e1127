import { RerankError, show } from "../../errors.js";
import type { Reranker, ScoreStats } from "../../types.js";
import type { EvaluationData, JudgedQuery } from "../data/data.js";
import type { Checkpoint } from "./checkpoint.js";
import type { QueryScores, Setting, SettingScores } from "./setting.js";

/** How far an evaluation has come. */
export interface EvaluationProgress {
  /** The setting that is running. */
  setting: string;
  /** Pairs of all settings scored so far, those of a checkpoint included. */
  done: number;
  total: number;
  /** Estimate; `undefined` before there is anything to estimate from. */
  secondsLeft: number | undefined;
}

interface ScoreAllOptions {
  checkpoint: Checkpoint;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: EvaluationProgress) => void) | undefined;
}

/** Scores every candidate of every query with one setting after the other. */
export async function scoreAll(
  data: EvaluationData,
  settings: readonly Setting[],
  { checkpoint, signal, onProgress }: ScoreAllOptions,
): Promise<SettingScores[]> {
  const names = settings.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new RerankError("OPTION_INVALID", `Two settings have the name ${show(twice)}.`);
  const clock = new Clock(data, settings, checkpoint);
  const results: SettingScores[] = [];
  for (const setting of settings) {
    const step = (pairs: number, ms: number) => onProgress?.({ setting: setting.name, ...clock.step(pairs, ms) });
    results.push(await scoreOne(data, setting, checkpoint, step, signal));
  }
  return results;
}

async function scoreOne(
  data: EvaluationData,
  setting: Setting,
  checkpoint: Checkpoint,
  onStep: (pairs: number, ms: number) => void,
  signal: AbortSignal | undefined,
): Promise<SettingScores> {
  const missing = data.queries.some(({ id }) => !checkpoint.get(setting, id));
  const reranker = missing ? await setting.open() : undefined;
  const queries: QueryScores[] = [];
  try {
    if (reranker) await warmUp(reranker, signal);
    for (const query of data.queries) {
      const kept = checkpoint.get(setting, query.id);
      const scores = kept ?? (await scoreQuery(reranker!, query, await data.texts(query), signal));
      if (!kept) {
        checkpoint.add(setting, query.id, scores);
        onStep(scores.scores.length, scores.ms);
      }
      queries.push(scores);
    }
    const info = reranker?.info ?? checkpoint.info(setting);
    if (reranker?.info) checkpoint.addInfo(setting, reranker.info);
    return { info, queries };
  } finally {
    // Disposing would wait for work that nobody wants any more.
    if (!signal?.aborted) await reranker?.dispose();
  }
}

/** Loads, and lets everything run once, so that the first query is timed as the others are. */
async function warmUp(reranker: Reranker, signal: AbortSignal | undefined): Promise<void> {
  await reranker.load({ ...(signal && { signal }) });
  await reranker.score("query", ["passage"], { ...(signal && { signal }) });
}

async function scoreQuery(
  reranker: Reranker,
  { text, candidates }: JudgedQuery,
  passages: string[],
  signal: AbortSignal | undefined,
): Promise<QueryScores> {
  if (candidates.ids.length === 0) return { scores: [], ms: 0, tokens: 0, truncated: 0 };
  let stats: ScoreStats | undefined;
  const onStats = (given: ScoreStats) => {
    stats = given;
  };
  const start = performance.now();
  const scores = await reranker.score(text, passages, { onStats, ...(signal && { signal }) });
  const ms = performance.now() - start;
  return { scores, ms, tokens: stats?.tokens, truncated: stats?.truncated };
}

/** Counts pairs, and foresees the end from the speed so far. */
class Clock {
  readonly #total: number;
  #done = 0;
  #here = 0;
  #ms = 0;

  constructor(data: EvaluationData, settings: readonly Setting[], checkpoint: Checkpoint) {
    const pairs = data.queries.reduce((sum, { candidates }) => sum + candidates.ids.length, 0);
    this.#total = pairs * settings.length;
    for (const setting of settings) {
      for (const { id } of data.queries) this.#done += checkpoint.get(setting, id)?.scores.length ?? 0;
    }
  }

  step(pairs: number, ms: number): Omit<EvaluationProgress, "setting"> {
    this.#done += pairs;
    this.#here += pairs;
    this.#ms += ms;
    const left = this.#total - this.#done;
    const secondsLeft = this.#here === 0 ? undefined : ((this.#ms / this.#here) * left) / 1000;
    return { done: this.#done, total: this.#total, secondsLeft };
  }
}
