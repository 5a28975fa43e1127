import { RerankError } from "../../errors.js";
import { sigmoid } from "../../rerankers/ranking.js";
import { folds } from "./folds.js";

/** Pairs of one query: the model's logits, and whether each passage is relevant. */
export interface LabelledScores {
  logits: readonly number[];
  relevant: readonly boolean[];
}

/** `sigmoid(scale * logit + offset)` is the chance that a passage is relevant. */
export interface PlattScaling {
  scale: number;
  offset: number;
}

/** A range of scores: what was promised there, and what came true. */
export interface ReliabilityBin {
  count: number;
  /** Mean score. */
  score: number;
  /** Share of relevant passages. */
  relevant: number;
}

/** How far scores are from being chances. */
export interface Reliability {
  /** Expected calibration error: the mean distance between score and share of relevant passages, over ten equal bins. */
  error: number;
  bins: ReliabilityBin[];
}

export interface CalibrationResult extends PlattScaling {
  /** Of the plain sigmoid. */
  before: Reliability;
  /** Of calibrated scores, each fitted on other queries. */
  after: Reliability;
  /** Pairs, and relevant ones among them. */
  pairs: number;
  relevant: number;
}

/** Fits on all queries, and tells on held-out ones what that is worth. */
export function calibrate(queries: readonly LabelledScores[], seed: number): CalibrationResult {
  const all = queries.map((_, index) => index);
  const flat = flatten(queries, all);
  const held = folds(queries.length, seed).map(({ train, test }) => {
    const { scale, offset } = fitPlatt(flatten(queries, train));
    const { logits, relevant } = flatten(queries, test);
    return { scores: logits.map((logit) => sigmoid(scale * logit + offset)), relevant };
  });
  return {
    ...fitPlatt(flat),
    before: reliability(flat.logits.map(sigmoid), flat.relevant),
    after: reliability(
      held.flatMap(({ scores }) => scores),
      held.flatMap(({ relevant }) => relevant),
    ),
    pairs: flat.logits.length,
    relevant: flat.relevant.filter(Boolean).length,
  };
}

function flatten(queries: readonly LabelledScores[], some: readonly number[]): LabelledScores {
  return {
    logits: some.flatMap((index) => queries[index]!.logits),
    relevant: some.flatMap((index) => queries[index]!.relevant),
  };
}

/**
 * Platt scaling: logistic regression of relevance on the logit, with Platt's targets, by Newton's method with backtracking
 * (Lin, Lin and Weng 2007, https://doi.org/10.1007/s10994-007-5018-6).
 * @throws RerankError `INPUT_INVALID` when there are not both relevant and irrelevant passages, or higher logits do not
 * make relevance more likely
 */
export function fitPlatt({ logits, relevant }: LabelledScores): PlattScaling {
  const positives = relevant.filter(Boolean).length;
  const negatives = relevant.length - positives;
  if (positives === 0 || negatives === 0) {
    const reason = `there are ${positives} relevant and ${negatives} other passages among the candidates`;
    throw new RerankError("INPUT_INVALID", `Scores cannot be calibrated: ${reason}.`);
  }
  const [high, low] = [(positives + 1) / (positives + 2), 1 / (negatives + 2)];
  const targets = relevant.map((is) => (is ? high : low));
  let best = { scale: 0, offset: Math.log((positives + 1) / (negatives + 1)) };
  let loss = lossOf(best, logits, targets);
  for (let step = 0; step < 100; step++) {
    const { slopeScale, slopeOffset, ss, so, oo } = derivatives(best, logits, targets);
    if (Math.abs(slopeScale) < 1e-7 && Math.abs(slopeOffset) < 1e-7) break;
    const determinant = ss * oo - so * so;
    const scaleStep = -(oo * slopeScale - so * slopeOffset) / determinant;
    const offsetStep = -(ss * slopeOffset - so * slopeScale) / determinant;
    let size = 1;
    for (; size >= 1e-10; size /= 2) {
      const next = { scale: best.scale + size * scaleStep, offset: best.offset + size * offsetStep };
      const nextLoss = lossOf(next, logits, targets);
      if (!(nextLoss < loss)) continue;
      [best, loss] = [next, nextLoss];
      break;
    }
    if (size < 1e-10) break;
  }
  if (best.scale > 0) return best;
  throw new RerankError(
    "INPUT_INVALID",
    "Scores cannot be calibrated: on these judgments a higher score does not make a passage more likely to be relevant.",
  );
}

function lossOf({ scale, offset }: PlattScaling, logits: readonly number[], targets: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const z = scale * logits[i]! + offset;
    // -t log p - (1 - t) log(1 - p), of which neither branch overflows
    sum += z >= 0 ? (1 - targets[i]!) * z + Math.log1p(Math.exp(-z)) : -targets[i]! * z + Math.log1p(Math.exp(z));
  }
  return sum;
}

function derivatives({ scale, offset }: PlattScaling, logits: readonly number[], targets: readonly number[]) {
  // The ridge keeps the matrix invertible.
  let [slopeScale, slopeOffset, ss, so, oo] = [0, 0, 1e-12, 0, 1e-12];
  for (let i = 0; i < logits.length; i++) {
    const p = sigmoid(scale * logits[i]! + offset);
    const curve = p * (1 - p);
    slopeScale += logits[i]! * (p - targets[i]!);
    slopeOffset += p - targets[i]!;
    ss += logits[i]! * logits[i]! * curve;
    so += logits[i]! * curve;
    oo += curve;
  }
  return { slopeScale, slopeOffset, ss, so, oo };
}

export function reliability(scores: readonly number[], relevant: readonly boolean[], bins = 10): Reliability {
  const sums = Array.from({ length: bins }, () => ({ count: 0, score: 0, relevant: 0 }));
  for (const [index, score] of scores.entries()) {
    const bin = sums[Math.min(bins - 1, Math.floor(score * bins))]!;
    bin.count++;
    bin.score += score;
    bin.relevant += Number(relevant[index]);
  }
  const filled = sums.filter(({ count }) => count > 0);
  const error = filled.reduce((sum, bin) => sum + Math.abs(bin.score - bin.relevant), 0) / Math.max(1, scores.length);
  return {
    error,
    bins: filled.map(({ count, score, relevant }) => ({ count, score: score / count, relevant: relevant / count })),
  };
}
