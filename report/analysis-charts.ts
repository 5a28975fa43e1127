import * as Plot from "@observablehq/plot";
import type { Analysis, Evaluation } from "../src/evaluate/evaluation.js";
import { plot } from "./charts.js";

const HALF = 490;

/** What the first measure of each query gained over the first stage, best first. */
export function gains({ settings, measures: [measure] }: Evaluation, setting: string): Node | undefined {
  const first = settings.find(({ kind }) => kind === "first stage");
  const model = settings.find(({ name }) => name === setting);
  if (!first || !model) return undefined;
  const values = Object.entries(model.perQuery).map(
    ([id, values]) => values[measure!]! - first.perQuery[id]![measure!]!,
  );
  const rows = values.sort((a, b) => b - a).map((gain, index) => ({ gain, x1: index, x2: index + 1 }));
  return plot({
    height: 220,
    marginLeft: 50,
    x: { label: `${rows.length.toLocaleString("en")} queries, best first →`, ticks: [] },
    y: { label: `↑ gain in ${measure}`, grid: true },
    marks: [
      Plot.rectY(rows, {
        x1: "x1",
        x2: "x2",
        y: "gain",
        inset: rows.length > 300 ? 0 : 0.3,
        fill: ({ gain }) => (gain > 0 ? "var(--good)" : "var(--bad)"),
      }),
      Plot.ruleY([0], { stroke: "var(--text)" }),
    ],
  });
}

/** Shares of relevant and other passages by logit. */
export function distributions({ histogram: { edges, relevant, other } }: Analysis): Node {
  const rows = [["relevant", relevant] as const, ["other", other] as const].flatMap(([group, counts]) => {
    const total = counts.reduce((sum, count) => sum + count, 0) || 1;
    return counts.map((count, index) => ({ group, x1: edges[index]!, x2: edges[index + 1]!, share: count / total }));
  });
  return plot({
    width: HALF,
    height: 260,
    marginLeft: 50,
    x: { label: "logit →" },
    y: { label: "↑ share of the group", percent: true, grid: true },
    color: { legend: true, domain: ["relevant", "other"], range: ["var(--good)", "var(--faint)"] },
    marks: [
      Plot.rectY(rows, { x1: "x1", x2: "x2", y2: "share", y1: 0, fill: "group", fillOpacity: 0.6, inset: 0.5 }),
      Plot.ruleY([0], { stroke: "var(--text)" }),
    ],
  });
}

/** Precision and recall of what is kept, and the recommended threshold. */
export function thresholdCurves({ thresholds: { curve, recommended, wanted } }: Analysis): Node {
  const rows = curve.flatMap(({ score, precision, recall }) => [
    { score, share: precision, measure: "precision" },
    { score, share: recall, measure: "recall" },
  ]);
  return plot({
    width: HALF,
    height: 260,
    marginLeft: 50,
    marginTop: 26,
    x: { label: "scoreThreshold →", domain: [0, 1] },
    y: { label: "↑ share", percent: true, domain: [0, 100], grid: true },
    color: { legend: true, domain: ["precision", "recall"], range: ["var(--model)", "var(--blend)"] },
    marks: [
      Plot.line(rows, { x: "score", y: "share", stroke: "measure", strokeWidth: 2 }),
      Plot.ruleY([wanted], { stroke: "var(--muted)", strokeDasharray: "2 4" }),
      ...(recommended
        ? [
            Plot.ruleX([recommended], { x: "score", stroke: "var(--text)", strokeDasharray: "5 4" }),
            Plot.text([recommended], {
              x: "score",
              text: ({ score }) => score.toFixed(3),
              frameAnchor: "top",
              dy: -12,
              fill: "var(--text)",
            }),
          ]
        : []),
    ],
  });
}

/** Promised against observed relevance; on the diagonal scores are chances. */
export function reliabilityDiagram({ calibration }: Analysis): Node | undefined {
  if (!calibration) return undefined;
  const rows = [["sigmoid", calibration.before] as const, ["calibrated", calibration.after] as const].flatMap(
    ([scores, { bins }]) => bins.map((bin) => ({ scores, ...bin })),
  );
  return plot({
    width: HALF,
    height: 300,
    marginLeft: 50,
    x: { label: "score →", domain: [0, 1] },
    y: { label: "↑ share that is relevant", percent: true, domain: [0, 100], grid: true },
    r: { range: [2, 11] },
    color: { legend: true, domain: ["sigmoid", "calibrated"], range: ["var(--first)", "var(--model)"] },
    marks: [
      Plot.line(
        [
          [0, 0],
          [1, 1],
        ],
        { stroke: "var(--muted)", strokeDasharray: "5 4" },
      ),
      Plot.line(rows, { x: "score", y: "relevant", stroke: "scores", strokeWidth: 1.5 }),
      Plot.dot(rows, { x: "score", y: "relevant", fill: "scores", r: "count" }),
    ],
  });
}

/** The first measure for each weight of the first stage. */
export function blendCurve({ blend }: Analysis, measure: string): Node | undefined {
  if (!blend) return undefined;
  const { weights, means, recommended } = blend;
  const rows = weights.map((weight, index) => ({ weight, mean: means[index]! }));
  return plot({
    width: HALF,
    height: 300,
    marginLeft: 50,
    marginTop: 26,
    x: { label: "retrievalWeight: 0 is the model alone, 1 the retriever →" },
    y: { label: `↑ ${measure}`, grid: true, nice: true },
    marks: [
      Plot.line(rows, { x: "weight", y: "mean", stroke: "var(--blend)", strokeWidth: 2 }),
      Plot.dot(rows, { x: "weight", y: "mean", fill: "var(--blend)", r: 2.5 }),
      ...(recommended === undefined
        ? []
        : [
            Plot.ruleX([recommended], { stroke: "var(--text)", strokeDasharray: "5 4" }),
            Plot.text([recommended], {
              x: (w) => w,
              text: (w) => String(w),
              frameAnchor: "top",
              dy: -12,
              fill: "var(--text)",
            }),
          ]),
    ],
  });
}
