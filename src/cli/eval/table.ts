import { type CMtebRow, type Evaluation, findings } from "../../evaluate/index.js";
import { tableRows } from "../../evaluate/output/rows.js";
import { type Io, paint, terminalWidth } from "../io.js";
import { displayWidth, oneLine, pad, wrap } from "../text.js";

/** The table and what it means, for a terminal. */
export function evaluationText(evaluation: Evaluation, io: Io): string {
  const { dim } = paint(io.stdout, io.env);
  const { queries, pairs, relevant, relevantFound, firstStage } = evaluation.data;
  const count = (value: number) => value.toLocaleString("en");
  const found = `${count(relevantFound)} of ${count(relevant)} relevant passages among them`;
  const source = firstStage === undefined ? "" : ` from ${firstStage}`;
  const intro = `${count(queries)} queries, ${count(pairs)} candidates${source}, ${found}`;
  const { head, rows } = tableRows(evaluation);
  const width = io.stdout.isTTY ? terminalWidth(io.stdout) : 100;
  const sentences = findings(evaluation).map((sentence) => `- ${wrap(oneLine(sentence), width - 2).join("\n  ")}`);
  const note = dim("Raised letters: settings beaten significantly (paired t-test, Holm's correction, 5 %).");
  return `${[oneLine(intro), "", ...aligned(head, rows, io, 2), "", note, ...sentences].join("\n")}\n`;
}

/** BAAI's table, with what was published and the difference. */
export function cMtebText(names: readonly string[], rows: readonly CMtebRow[], io: Io): string {
  const shown = (value: number | undefined) => value?.toFixed(2) ?? "–";
  const signed = (value: number | undefined) => (value !== undefined && value > 0 ? `+${shown(value)}` : shown(value));
  const lines = rows.flatMap(({ setting, map, average, published, publishedAverage }) => {
    const [ours, theirs] = [
      [...map, average],
      [...published, publishedAverage],
    ];
    if (theirs.every((value) => value === undefined)) return [[setting, ...ours.map(shown)]];
    const difference = ours.map((value, i) =>
      value === undefined || theirs[i] === undefined ? undefined : value - theirs[i],
    );
    return [
      [setting, ...ours.map(shown)],
      ["published", ...theirs.map(shown)],
      ["difference", ...difference.map(signed)],
    ];
  });
  return `${aligned(["MAP, %", ...names, "average"], lines, io, 1).join("\n")}\n`;
}

/** Columns that line up: the first `texts` to the left, figures to the right. */
function aligned(head: readonly string[], rows: readonly (readonly string[])[], io: Io, texts: number): string[] {
  const { bold } = paint(io.stdout, io.env);
  const cells = [head, ...rows].map((row) => row.map(oneLine));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => displayWidth(row[column]!))));
  const placed = (cell: string, column: number) =>
    column < texts ? pad(cell, widths[column]!) : " ".repeat(widths[column]! - displayWidth(cell)) + cell;
  const [first, ...others] = cells.map((row) => row.map(placed).join("  ").trimEnd());
  return [bold(first!), ...others];
}
