import { RerankError, show } from "../../errors.js";
import { sigmoid } from "../../rerankers/ranking.js";
import type { Calibration } from "../../types.js";
import type { Evaluation } from "../evaluation.js";

/** What `calibration` takes, and how good it is. */
export interface CalibrationFile extends Calibration {
  dtype?: string;
  /** Expected calibration error without it, and with it on held-out queries. */
  error: { before: number; after: number };
  /** Pairs that it was fitted on, and relevant ones among them. */
  pairs: number;
  relevant: number;
  /** The recommended threshold for scores calibrated so; absent when there is none for the wanted precision. */
  scoreThreshold?: { precision: number; score: number };
}

/**
 * The calibration of one reranker.
 * @throws RerankError `INPUT_INVALID` when the judgments do not allow one
 */
export function calibrationFile({ analyses, settings }: Evaluation, setting: string): CalibrationFile {
  const analysis = analyses.find((one) => one.setting === setting);
  const info = settings.find(({ name }) => name === setting)?.info;
  if (!analysis?.calibration) {
    throw new RerankError(
      "INPUT_INVALID",
      `The scores of ${show(setting)} cannot be calibrated: that takes ten queries, relevant and other passages among the ` +
        "candidates, and scores that tell them apart.",
    );
  }
  const { scale, offset, before, after, pairs, relevant } = analysis.calibration;
  const { recommended, wanted } = analysis.thresholds;
  return {
    ...(info && { model: info.model }),
    ...(info?.dtype !== undefined && { dtype: info.dtype }),
    scale,
    offset,
    error: { before: before.error, after: after.error },
    pairs,
    relevant,
    ...(recommended && { scoreThreshold: { precision: wanted, score: sigmoid(scale * recommended.logit + offset) } }),
  };
}
