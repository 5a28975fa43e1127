import * as Plot from "@observablehq/plot";
import type { EvaluatedSetting, Evaluation } from "../src/evaluate/evaluation.js";

/*
 * Colours are custom properties of page.css, so that one chart is right in light and dark.
 */
export const WIDTH = 1010;
const STYLE = { background: "none", fontFamily: "inherit", fontSize: "13px", overflow: "visible" };

export const plot = (options: Plot.PlotOptions) =>
  Plot.plot({ style: STYLE, width: WIDTH, marginBottom: 44, ...options });

const COLOURS: Record<EvaluatedSetting["kind"], string> = {
  "first stage": "var(--first)",
  random: "var(--faint)",
  reranker: "var(--model)",
  blend: "var(--blend)",
};

/** Names can be long paths: their ends tell them apart. */
export const short = (name: string) => (name.length <= 34 ? name : `…${name.slice(-33)}`);

/** The first measure of every setting with its interval, and a dashed line where the retriever alone stands. */
export function bars({ settings, measures: [measure] }: Evaluation): Node {
  const rows = settings.map(({ name, kind, metrics }) => ({ name: short(name), kind, ...metrics[measure!]! }));
  const first = rows.find(({ kind }) => kind === "first stage");
  return plot({
    height: 76 + 34 * rows.length,
    marginLeft: 230,
    marginRight: 60,
    marginTop: 30,
    x: { label: `${measure} →`, zero: true, grid: true },
    y: { label: null, domain: rows.map(({ name }) => name), padding: 0.35, tickSize: 0 },
    marks: [
      Plot.barX(rows, { y: "name", x: "mean", fill: ({ kind }) => COLOURS[kind as EvaluatedSetting["kind"]], rx: 3 }),
      Plot.ruleY(rows, { y: "name", x1: "low", x2: "high", stroke: "var(--text)", strokeWidth: 1.5 }),
      Plot.tickX(rows, { y: "name", x: "low", stroke: "var(--text)", inset: 7 }),
      Plot.tickX(rows, { y: "name", x: "high", stroke: "var(--text)", inset: 7 }),
      Plot.text(rows, {
        y: "name",
        x: "high",
        text: ({ mean }) => mean.toFixed(3),
        dx: 8,
        textAnchor: "start",
        fill: "var(--text)",
      }),
      ...(first
        ? [
            Plot.ruleX([first], { x: "mean", stroke: "var(--first)", strokeDasharray: "5 4", strokeWidth: 1.5 }),
            Plot.text([first], {
              x: "mean",
              text: () => "retriever only",
              frameAnchor: "top",
              dy: -16,
              fill: "var(--first)",
            }),
          ]
        : []),
    ],
  });
}

/** Quality against the time for one query; `undefined` when nothing was timed. */
export function quality({ settings, measures: [measure] }: Evaluation): Node | undefined {
  const timed = settings.filter(({ kind, latency }) => kind === "reranker" && latency);
  if (timed.length === 0) return undefined;
  const rows = timed.map(({ name, metrics, latency }) => ({
    name: short(name),
    ...metrics[measure!]!,
    p50: latency!.p50Ms / 1000,
    p95: latency!.p95Ms / 1000,
  }));
  const first = settings.find(({ kind }) => kind === "first stage")?.metrics[measure!]?.mean;
  const times = rows.flatMap(({ p50, p95 }) => [p50, p95]);
  const values = [...rows.flatMap(({ low, high }) => [low, high]), ...(first === undefined ? [] : [first])];
  const room = 0.15 * (Math.max(...values) - Math.min(...values)) || 0.05;
  return plot({
    height: 340,
    marginLeft: 60,
    marginRight: 40,
    x: {
      type: "log",
      label: "seconds for a query's candidates (median; the line reaches to the slowest 5 %) →",
      domain: [Math.min(...times) / 2, Math.max(...times) * 2],
      ticks: 6,
      tickFormat: (value: number) => String(Number(value.toPrecision(2))),
      grid: true,
    },
    y: { label: `↑ ${measure}`, grid: true, domain: [Math.min(...values) - room, Math.max(...values) + room] },
    marks: [
      ...(first === undefined
        ? []
        : [
            Plot.ruleY([first], { stroke: "var(--first)", strokeDasharray: "5 4", strokeWidth: 1.5 }),
            Plot.text([first], {
              y: (value) => value,
              text: () => "retriever only",
              frameAnchor: "right",
              dy: -9,
              fill: "var(--first)",
            }),
          ]),
      Plot.ruleX(rows, { x: "p50", y1: "low", y2: "high", stroke: "var(--model)", strokeOpacity: 0.5 }),
      Plot.ruleY(rows, { y: "mean", x1: "p50", x2: "p95", stroke: "var(--model)", strokeOpacity: 0.5 }),
      Plot.dot(rows, { x: "p50", y: "mean", r: 6, fill: "var(--model)" }),
      // Neighbours would write over each other.
      ...[-12, 14].map((dy, turn) =>
        Plot.text(
          rows.filter((_, index) => index % 2 === turn),
          { x: "p50", y: "mean", text: "name", dx: 8, dy, textAnchor: "start", fill: "var(--text)" },
        ),
      ),
    ],
  });
}
