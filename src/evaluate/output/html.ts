import { readFileSync } from "node:fs";
import { ownFile } from "../../own-files.js";
import type { Evaluation } from "../evaluation.js";
import { findings } from "./findings.js";
import { tableRows } from "./rows.js";

/**
 * The evaluation as one HTML file that needs nothing else: no network, no other files; light, dark and on paper. The
 * template, with its charts, is made from `report/` when the package is built.
 */
export function htmlReport(evaluation: Evaluation): string {
  const template = readFileSync(ownFile("report"), "utf8");
  const content = JSON.stringify({ evaluation, findings: findings(evaluation), rows: tableRows(evaluation) });
  // Passages may hold anything, the end of a script as well; a function, so that "$&" in them stays.
  return template.replace("EVALUATION", () => content.replaceAll("<", "\\u003c"));
}
