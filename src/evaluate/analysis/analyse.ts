import { RerankError } from "../../errors.js";
import type { EvaluationData } from "../data/data.js";
import type { Analysis } from "../evaluation.js";
import type { Measures } from "../metrics/measures.js";
import { sweepBlend } from "./blend-sweep.js";
import { type CalibrationResult, calibrate, type LabelledScores } from "./calibration.js";
import { examples } from "./examples.js";
import { histogram } from "./histogram.js";
import { thresholds } from "./threshold.js";

/** With fewer queries nothing can be learnt from some and tried on others. */
const ENOUGH_QUERIES = 10;

interface Scored {
  data: EvaluationData;
  name: string;
  logits: readonly (readonly number[])[];
  /** Every measure of every query, by the reranker and by the first stage. */
  perQuery: readonly (readonly number[])[];
  first: readonly (readonly number[])[] | undefined;
  metric: Measures;
  seed: number;
  precision: number;
}

/** All that one reranker's scores tell besides how good they are. */
export async function analyse({ data, name, logits, perQuery, first, metric, seed, precision }: Scored) {
  const { queries } = data;
  const labelled = queries.map(
    ({ candidates, judgments }, index): LabelledScores => ({
      logits: logits[index]!,
      relevant: candidates.ids.map((id) => (judgments.get(id) ?? 0) >= 1),
    }),
  );
  const enough = queries.length >= ENOUGH_QUERIES;
  const swept = first && enough ? sweepBlend(queries, logits, metric, seed) : undefined;
  const values = (measured: readonly (readonly number[])[]) => measured.map(([value]) => value!);
  const moved = first ? await examples(data, logits, values(first), values(perQuery)) : { helped: [], hurt: [] };
  const analysis: Analysis = {
    setting: name,
    histogram: histogram(labelled),
    thresholds: thresholds(labelled, precision),
    calibration: enough ? calibration(labelled, seed) : undefined,
    blend: swept?.sweep,
    ...moved,
  };
  return { analysis, crossValidated: swept?.perQuery };
}

function calibration(labelled: readonly LabelledScores[], seed: number): CalibrationResult | undefined {
  try {
    return calibrate(labelled, seed);
  } catch (error) {
    // These judgments do not allow it, and nobody asked for it yet.
    if (error instanceof RerankError) return undefined;
    throw error;
  }
}
