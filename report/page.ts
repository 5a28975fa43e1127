import type { ExamplePassage, QueryExample } from "../src/evaluate/analysis/examples.js";
import type { Analysis, EvaluatedSetting, Evaluation } from "../src/evaluate/evaluation.js";
import { blendCurve, distributions, gains, reliabilityDiagram, thresholdCurves } from "./analysis-charts.js";
import { bars, quality, short } from "./charts.js";
import { digits, element, figure, percent } from "./elements.js";

/** What src/evaluate/output/html.ts puts into the page. */
const { evaluation, findings, rows } = JSON.parse(document.getElementById("evaluation")!.textContent!) as {
  evaluation: Evaluation;
  findings: string[];
  rows: { head: string[]; rows: string[][] };
};
const { data, measures, settings, analyses } = evaluation;
const [measure] = measures as [string];

function header(): HTMLElement {
  const count = (value: number) => value.toLocaleString("en");
  const facts = [
    `${count(data.queries)} queries`,
    `${count(data.pairs)} candidates${data.firstStage === undefined ? "" : ` from ${data.firstStage}`}`,
    `${count(data.relevantFound)} of ${count(data.relevant)} relevant passages among them`,
  ];
  return element(
    "header",
    {},
    element("h1", {}, "Does reranking help?"),
    element("p", { class: "data" }, data.name),
    element("p", { class: "facts" }, facts.join(" · ")),
    ...analyses.map(({ setting }) => verdict(setting)),
  );
}

/** What was found about one reranker; each sentence begins with its name. */
function verdict(setting: string): HTMLElement {
  const start = `${setting}: `;
  const own = findings.filter((text) => text.startsWith(start)).map((text) => text.slice(start.length));
  const items = own.map((text) => element("li", {}, text.charAt(0).toUpperCase() + text.slice(1)));
  return element("div", { class: "findings" }, element("h3", {}, setting), element("ul", {}, ...items));
}

function table(): HTMLElement {
  const cells = (row: readonly string[], name: string) =>
    element("tr", {}, ...row.map((cell) => element(name, {}, cell)));
  const kinds = settings.map(({ kind }) => kind.replace(" ", "-"));
  const body = rows.rows.map((row, index) => {
    const line = cells(row, "td");
    line.className = kinds[index]!;
    return line;
  });
  return element(
    "section",
    {},
    element("h2", {}, "Settings"),
    element(
      "div",
      { class: "scroll" },
      element("table", {}, element("thead", {}, cells(rows.head, "th")), element("tbody", {}, ...body)),
    ),
    element(
      "p",
      { class: "note" },
      "Intervals are paired bootstrap intervals of 95 %. Raised letters name the settings that are beaten significantly (paired t-test, Holm's correction, 5 %).",
    ),
  );
}

function comparisons(): HTMLElement {
  const scatter = quality(evaluation);
  return element(
    "section",
    {},
    figure(`Quality: ${measure}`, "The mean over all queries, with its interval.", bars(evaluation)),
    scatter && figure("Quality and time", "Up is better, left is faster.", scatter),
  );
}

function analysis(one: Analysis): HTMLElement {
  const model = settings.find(({ name }) => name === one.setting)!;
  const gain = gains(evaluation, one.setting);
  const reliable = reliabilityDiagram(one);
  const blend = blendCurve(one, measure);
  const { recommended, wanted } = one.thresholds;
  const advice = recommended
    ? `From ${digits(recommended.score)} on, ${percent(recommended.precision)} of what is kept is relevant; ${percent(recommended.recall)} of the relevant passages are kept.`
    : `No threshold gives a precision of ${percent(wanted)}.`;
  return element(
    "section",
    { class: "analysis" },
    element("h2", {}, short(one.setting)),
    element("p", { class: "note" }, described(model)),
    gain && figure("Gain per query", "Above the line reranking helped, below it hurt.", gain),
    element(
      "div",
      { class: "pair" },
      figure("Scores", "The further apart, the better the model tells them apart.", distributions(one)),
      figure("Threshold", advice, thresholdCurves(one)),
    ),
    element(
      "div",
      { class: "pair" },
      reliable &&
        figure(
          "Are scores chances?",
          `On average ${digits(one.calibration!.before.error)} off the diagonal, calibrated ${digits(one.calibration!.after.error)}.`,
          reliable,
        ),
      blend && figure("Blending with the retriever", blendNote(one), blend),
    ),
    examples("Helped most", one.helped),
    examples("Hurt most", one.hurt),
  );
}

function described({ info, latency }: EvaluatedSetting): string {
  const parts = [
    info && [info.architecture, info.dtype, info.device && `on ${info.device}`].filter(Boolean).join(" "),
    info?.maxLength && `at most ${info.maxLength} tokens`,
    latency?.truncated !== undefined && `${percent(latency.truncated / latency.pairs)} of the passages were cut`,
  ];
  return parts.filter(Boolean).join(" · ");
}

function blendNote({ blend }: Analysis): string {
  const held = `${digits(blend!.crossValidated)} on queries that had no say in the weight`;
  return blend!.recommended === undefined
    ? `Not proven to help: ${held}.`
    : `Recommended: ${blend!.recommended}; ${held}.`;
}

function examples(title: string, some: readonly QueryExample[]): HTMLElement | undefined {
  if (some.length === 0) return undefined;
  return element("div", { class: "examples" }, element("h3", {}, title), ...some.map(example));
}

function example({ query, before, after, first }: QueryExample): HTMLElement {
  const column = (heading: string, passages: readonly ExamplePassage[]) =>
    element("div", {}, element("h4", {}, heading), element("ol", {}, ...passages.map(passage)));
  return element(
    "details",
    {},
    element(
      "summary",
      {},
      query,
      element("span", { class: after > before ? "good" : "bad" }, `${digits(before)} → ${digits(after)}`),
    ),
    element("div", { class: "pair" }, column("Before", first.before), column("After", first.after)),
  );
}

function passage({ text, grade, before, after }: ExamplePassage): HTMLElement {
  const relevant = grade !== undefined && grade >= 1;
  const mark = relevant
    ? grade > 1
      ? `relevant (${grade})`
      : "relevant"
    : grade === undefined
      ? "not judged"
      : "irrelevant";
  const moved = before === after ? "" : `${before} → ${after}`;
  return element(
    "li",
    { class: relevant ? "relevant" : "" },
    element("span", { class: "mark" }, mark),
    element("span", { class: "moved" }, moved),
    element("p", {}, text),
  );
}

document.title = `Reranking on ${data.name}`;
document.querySelector("main")!.append(header(), table(), comparisons(), ...analyses.map(analysis));
// Paper shows everything.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
