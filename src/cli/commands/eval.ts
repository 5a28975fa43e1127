import { readFileSync, writeFileSync } from "node:fs";
import { RerankError } from "../../errors.js";
import { TASKS } from "../../evaluate/c-mteb.js";
import {
  calibrationFile,
  cMteb,
  type Evaluation,
  evaluate,
  gate,
  htmlReport,
  markdownReport,
  openData,
} from "../../evaluate/index.js";
import { isWeight } from "../../validate.js";
import { defineCommand, UsageError, type Values } from "../command.js";
import { evalOptions } from "../eval/options.js";
import { list, settingsOf } from "../eval/settings.js";
import { cMtebText, evaluationText } from "../eval/table.js";
import { type Io, paint } from "../io.js";
import { toRerankerOptions } from "../options.js";
import { Progress } from "../progress.js";

type EvalValues = Values<typeof evalOptions>;

export const evalCommand = defineCommand({
  name: "eval",
  summary: "Find out whether reranking helps on your own questions, by how much, and at what cost.",
  positionals: [
    {
      name: "DATA",
      required: false,
      help: "A folder (corpus.jsonl, queries.jsonl, qrels/test.tsv, as BEIR and FlagEmbedding have it), or a file of lists.",
    },
  ],
  options: evalOptions,
  details: `A file of lists holds a JSON object a line: { query, passages: [], relevant: [] }, the passages as your retriever found
them, best first, the relevant ones by number (from 0) or by text; or C-MTEB's { query, positive: [], negative: [] }.
Without --run a folder's passages are found with BM25. Every setting reranks the same candidates.

Measures are computed exactly as trec_eval does, and as BAAI's evaluator for C-MTEB's lists. With --json, --baseline and
--fail-drop a CI notices when quality falls.

  bge-reranker eval my-questions.jsonl -m mini
  bge-reranker eval beir/scifact -m BAAI/bge-reranker-base,mini --report result.html
  bge-reranker eval my-questions.jsonl -m mini --baseline result.json --fail-drop 0.01
  bge-reranker eval --c-mteb C-MTEB -m BAAI/bge-reranker-base`,
  async run({ values, positionals: [path] }, io) {
    const folder = values["c-mteb"];
    if ((path === undefined) === (folder === undefined))
      throw new UsageError("eval needs either DATA or --c-mteb FOLDER");
    const progress = new Progress(io);
    try {
      return folder === undefined
        ? await evaluateData(path!, values, io, progress)
        : await table(folder, values, io, progress);
    } finally {
      progress.clear();
    }
  },
});

function wantedSettings(values: EvalValues, io: Io, progress: Progress) {
  const { dtype: _, ...rest } = toRerankerOptions({ ...values, dtype: undefined });
  const options = { ...rest, onProgress: progress.download };
  return settingsOf({ model: values.model, dtype: values.dtype, url: values.url, options }, io);
}

async function evaluateData(path: string, values: EvalValues, io: Io, progress: Progress): Promise<number> {
  const {
    baseline: baselineFile,
    "fail-under": failUnder,
    "fail-drop": failDrop,
    json,
    markdown,
    report,
    calibrate,
  } = values;
  if (failDrop !== undefined && baselineFile === undefined) throw new UsageError("--fail-drop needs --baseline");
  // Before hours of work.
  const baseline = baselineFile === undefined ? undefined : readBaseline(baselineFile);
  const settings = wantedSettings(values, io, progress).map(({ setting }) => setting);
  if (calibrate !== undefined && settings.length !== 1) {
    throw new UsageError(`--calibrate is for one model and dtype, and there are ${settings.length}`);
  }
  const { run, qrels, split, depth, k1, b } = values;
  const data = await openData(path, { run, qrels, split, depth, k1, b, onRead: progress.reading });
  let evaluation: Evaluation;
  try {
    evaluation = await evaluate(data, settings, {
      ...(values.measures !== undefined && { measures: values.measures.split(",").map((name) => name.trim()) }),
      ...(values.blend !== undefined && { weights: list("blend", values.blend, isWeightText).map(Number) }),
      ...(values.random && { random: true }),
      ...(values.precision !== undefined && { precision: values.precision }),
      ...(values.seed !== undefined && { seed: values.seed }),
      ...(values.checkpoint !== undefined && { checkpoint: values.checkpoint }),
      signal: io.signal,
      onProgress: progress.evaluating,
    });
  } finally {
    await data.close();
  }
  progress.clear();
  if (json !== "-") io.stdout.write(evaluationText(evaluation, io));
  write(json, () => `${JSON.stringify(evaluation)}\n`, io);
  if (calibrate !== undefined) {
    const calibration = calibrationFile(evaluation, settings[0]!.name);
    writeFileSync(calibrate, `${JSON.stringify(calibration, undefined, 2)}\n`);
  }
  write(report, () => htmlReport(evaluation), io);
  write(markdown, () => markdownReport(evaluation), io);
  return judge(evaluation, { baseline, failUnder, failDrop }, io);
}

/** Tells what has changed, and fails when that is too much. */
function judge(evaluation: Evaluation, options: Parameters<typeof gate>[1], io: Io): number {
  const { changes, failures } = gate(evaluation, options);
  const { red } = paint(io.stderr, io.env);
  for (const { setting, before, after } of changes) {
    const change = `${after < before ? "" : "+"}${(after - before).toFixed(4)}`;
    io.stderr.write(`${setting}: ${evaluation.measures[0]} ${before.toFixed(4)} → ${after.toFixed(4)} (${change})\n`);
  }
  for (const failure of failures) io.stderr.write(`${red("bge-reranker:")} ${failure}\n`);
  return failures.length === 0 ? 0 : 1;
}

async function table(folder: string, values: EvalValues, io: Io, progress: Progress): Promise<number> {
  const wanted = wantedSettings(values, io, progress);
  if (wanted.length === 0) throw new UsageError("--c-mteb needs a model");
  const modelOf = new Map(wanted.map(({ setting, model }) => [setting.name, model]));
  const rows = await cMteb(
    folder,
    wanted.map(({ setting }) => setting),
    {
      signal: io.signal,
      onProgress: progress.evaluating,
      ...(values.checkpoint !== undefined && { checkpoint: values.checkpoint }),
    },
    ({ name }) => modelOf.get(name),
  );
  progress.clear();
  const names = TASKS.map(({ name }) => name);
  if (values.json !== "-") io.stdout.write(cMtebText(names, rows, io));
  write(values.json, () => `${JSON.stringify({ tasks: names, rows })}\n`, io);
  return 0;
}

const isWeightText = (value: unknown) => isWeight(value === "" ? undefined : Number(value));

function write(file: string | undefined, content: () => string, io: Io): void {
  if (file === undefined) return;
  if (file === "-") io.stdout.write(content());
  else writeFileSync(file, content());
}

function readBaseline(file: string): Evaluation {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new RerankError("INPUT_INVALID", `Cannot read the baseline ${file}: ${(cause as Error).message}.`, { cause });
  }
}
