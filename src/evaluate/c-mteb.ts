import { existsSync } from "node:fs";
import { join } from "node:path";
import { RerankError } from "../errors.js";
import { openList } from "./data/lists.js";
import { type EvaluateOptions, evaluate } from "./evaluate.js";
import type { Setting } from "./run/setting.js";

/** A task of the benchmark: the short name of BAAI's table, and the names that its file may have. */
interface Task {
  name: string;
  files: readonly string[];
}

const task = (name: string, repository: string, split: string): Task => ({
  name,
  files: [`${name}.jsonl`, `${repository}.jsonl`, join(repository, `${split}.jsonl`), join(name, `${split}.jsonl`)],
});

export const TASKS: readonly Task[] = [
  task("T2Reranking", "T2Reranking", "dev"),
  task("T2RerankingZh2En", "T2Reranking_zh2en", "dev"),
  task("T2RerankingEn2Zh", "T2Reranking_en2zh", "dev"),
  task("MmarcoReranking", "Mmarco-reranking", "dev"),
  task("CMedQAv1", "CMedQAv1-reranking", "test"),
  task("CMedQAv2", "CMedQAv2-reranking", "test"),
];

/** MAP of the six tasks, in per cent, in BAAI's table (https://github.com/FlagOpen/FlagEmbedding/tree/de8f464/C_MTEB). */
export const PUBLISHED: Readonly<Record<string, readonly number[]>> = {
  "BAAI/bge-reranker-base": [67.28, 63.95, 60.45, 35.46, 81.26, 84.1],
  "BAAI/bge-reranker-large": [67.6, 64.04, 61.45, 37.17, 82.14, 84.19],
};

/** One model's row of the table: MAP in per cent; `undefined` for a task that is not there, or was not published. */
export interface CMtebRow {
  setting: string;
  map: (number | undefined)[];
  average: number | undefined;
  /** Of the model of that name. */
  published: (number | undefined)[];
  publishedAverage: number | undefined;
}

/**
 * BAAI's evaluation of rerankers on C-MTEB: average precision as its evaluator has it, over the tasks in a folder.
 * @param folder holds `T2Reranking.jsonl` and so on (or `C-MTEB/T2Reranking`'s `dev.jsonl` in a folder of that name), each
 * line `{ query, positive, negative }`
 * @param publishedName which published row belongs to a setting
 */
export async function cMteb(
  folder: string,
  settings: readonly Setting[],
  options: Pick<EvaluateOptions, "signal" | "onProgress" | "checkpoint"> = {},
  publishedName: (setting: Setting) => string | undefined = ({ name }) => name,
): Promise<CMtebRow[]> {
  const maps = settings.map((): (number | undefined)[] => TASKS.map(() => undefined));
  let found = 0;
  for (const [index, { name, files }] of TASKS.entries()) {
    const file = files.map((file) => join(folder, file)).find((file) => existsSync(file));
    if (file === undefined) continue;
    found++;
    const data = await openList(file);
    if (data.protocol !== "c-mteb") {
      throw new RerankError("INPUT_INVALID", `${file} has no "positive" and "negative" passages.`);
    }
    const checkpoint = options.checkpoint && `${options.checkpoint}.${name}`;
    const own = { ...options, ...(checkpoint && { checkpoint }), measures: ["map"], resamples: 1 };
    try {
      const { settings: results } = await evaluate(data, settings, own);
      for (const [row, result] of results.entries()) maps[row]![index] = 100 * result.metrics.map!.mean;
    } finally {
      await data.close();
    }
  }
  if (found === 0) {
    const wanted = TASKS.map(({ files }) => files[0]).join(", ");
    throw new RerankError("INPUT_INVALID", `${folder} holds none of ${wanted}.`);
  }
  return settings.map((setting, row): CMtebRow => {
    const published = TASKS.map((_, index) => PUBLISHED[publishedName(setting) ?? ""]?.[index]);
    const map = maps[row]!;
    return { setting: setting.name, map, average: average(map), published, publishedAverage: average(published) };
  });
}

/** Of all six; a part of them would be another figure. */
function average(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length < values.length ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
}
