import type { Analysis, Evaluation, NamedComparison } from "../evaluation.js";

/** A figure for people: three digits after the point. */
export const figure = (value: number): string => value.toFixed(3);

/** A p-value for people. */
export const chance = (p: number): string => (p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`);

/** What an evaluation found, in sentences: does it help, what to set, and how sure that is. */
export function findings(evaluation: Evaluation): string[] {
  const [measure] = evaluation.measures;
  return evaluation.analyses.flatMap((analysis) => [
    ...gain(evaluation, analysis.setting),
    ...blending(analysis, measure!, evaluation.data.firstStage),
    ...threshold(analysis),
    ...calibration(analysis),
  ]);
}

function gain({ comparisons, measures: [measure], data: { firstStage } }: Evaluation, setting: string): string[] {
  const found = comparisons.find(({ a, b }) => a === firstStage && b === setting);
  if (!found) return [];
  const { difference, wins, losses, ties, adjustedP, significant } = reversed(found);
  const range = `${signed(difference.low)} to ${signed(difference.high)}; ${chance(adjustedP)}`;
  const counts = `better on ${wins} queries, worse on ${losses}, even on ${ties}`;
  const verdict = !significant ? "No proven difference" : difference.mean > 0 ? "It helps" : "It hurts";
  return [`${setting}: ${verdict}. ${measure} ${signed(difference.mean)} against ${firstStage} (${range}), ${counts}.`];
}

/** Seen from the reranker. */
function reversed({ difference: { mean, low, high }, wins, losses, ...rest }: NamedComparison) {
  return { ...rest, difference: { mean: -mean, low: -high, high: -low }, wins: losses, losses: wins };
}

function blending({ setting, blend }: Analysis, measure: string, firstStage: string | undefined): string[] {
  if (!blend) return [];
  const { recommended, crossValidated, means, p } = blend;
  const [model, retriever] = [means[0]!, means.at(-1)!];
  const better = model >= retriever ? `${setting} alone` : `${firstStage} alone`;
  const values = `${measure} ${figure(crossValidated)} on held-out queries, ${better} ${figure(Math.max(model, retriever))}`;
  return recommended === undefined
    ? [`${setting}: blending with ${firstStage} is not proven to help (${values}; ${chance(p)}).`]
    : [`${setting}: blend with ${firstStage}, retrievalWeight ${recommended} (${values}; ${chance(p)}).`];
}

function threshold({ setting, thresholds: { wanted, recommended } }: Analysis): string[] {
  const precision = `${Math.round(100 * wanted)} %`;
  if (!recommended) return [`${setting}: no scoreThreshold gives a precision of ${precision}.`];
  const { score, recall, kept } = recommended;
  const found = `it keeps ${kept.toLocaleString("en")} passages and ${Math.round(100 * recall)} % of the relevant ones`;
  return [`${setting}: use scoreThreshold ${roundDown(score)} for a precision of ${precision}; ${found}.`];
}

function calibration({ setting, calibration }: Analysis): string[] {
  if (!calibration) return [];
  const [before, after] = [figure(calibration.before.error), figure(calibration.after.error)];
  return [
    `${setting}: scores are ${before} off as chances of relevance on average, calibrated ${after} (held-out queries).`,
  ];
}

const signed = (value: number) => (value < 0 ? `−${figure(-value)}` : `+${figure(value)}`);

/** Never above the score that it stands for. */
const roundDown = (score: number) => (score < 0.0001 ? score.toExponential(2) : String(Math.floor(score * 1e6) / 1e6));
