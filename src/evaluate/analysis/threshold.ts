import { sigmoid } from "../../rerankers/ranking.js";
import type { LabelledScores } from "./calibration.js";

/** What comes back when passages below a score are dropped. */
export interface ThresholdPoint {
  /** The returned score (the sigmoid of the logit), for `scoreThreshold`. */
  score: number;
  logit: number;
  /** Share of relevant passages among those kept. */
  precision: number;
  /** Share of the relevant candidates that are kept. */
  recall: number;
  /** How many are kept. */
  kept: number;
}

export interface Thresholds {
  /** The precision that was asked for. */
  wanted: number;
  /** The lowest threshold with that precision: it keeps the most; `undefined` when none has it. */
  recommended: ThresholdPoint | undefined;
  /** At most a hundred thresholds, descending. */
  curve: ThresholdPoint[];
}

const POINTS = 100;
/** A precision seen on fewer passages is luck. */
const ENOUGH = 10;

/** Over the candidates of all queries together. */
export function thresholds(queries: readonly LabelledScores[], wanted: number): Thresholds {
  const pairs = queries.flatMap(({ logits, relevant }) =>
    logits.map((logit, i) => ({ logit, relevant: relevant[i]! })),
  );
  pairs.sort((a, b) => b.logit - a.logit);
  const all = pairs.filter(({ relevant }) => relevant).length;
  const points: ThresholdPoint[] = [];
  let found = 0;
  for (const [index, { logit, relevant }] of pairs.entries()) {
    found += Number(relevant);
    // Far from 0 different logits have the same sigmoid, and no threshold can tell them apart.
    const next = pairs[index + 1];
    if (next && sigmoid(next.logit) === sigmoid(logit)) continue;
    const kept = index + 1;
    const [precision, recall] = [found / kept, all === 0 ? 0 : found / all];
    points.push({ score: sigmoid(logit), logit, precision, recall, kept });
  }
  const recommended = points.findLast(({ precision, kept }) => precision >= wanted && kept >= ENOUGH);
  return { wanted, recommended, curve: thin(points) };
}

/** Evenly in recall, where the curve bends. */
function thin(points: readonly ThresholdPoint[]): ThresholdPoint[] {
  if (points.length <= POINTS) return [...points];
  const kept: ThresholdPoint[] = [];
  for (let step = 0; step < POINTS; step++) {
    const point = points.find(({ recall }) => recall >= step / (POINTS - 1)) ?? points.at(-1)!;
    if (point !== kept.at(-1)) kept.push(point);
  }
  if (kept.at(-1) !== points.at(-1)) kept.push(points.at(-1)!);
  return kept;
}
