import type { Evaluation } from "../evaluation.js";
import { findings } from "./findings.js";
import { tableRows } from "./rows.js";

/** The table and what it means, for pull requests. */
export function markdownReport(evaluation: Evaluation): string {
  const { head, rows } = tableRows(evaluation);
  const { name, queries, pairs } = evaluation.data;
  const line = (cells: readonly string[]) => `| ${cells.map(escapeCell).join(" | ")} |`;
  const align = head.map((_, index) => (index < 2 ? "---" : "---:"));
  return `### Reranking on ${escapeText(name)}

${queries.toLocaleString("en")} queries, ${pairs.toLocaleString("en")} candidates. Raised letters name the settings that are beaten significantly
(paired t-test, Holm's correction, 5 %).

${[line(head), line(align), ...rows.map(line)].join("\n")}

${findings(evaluation)
  .map((sentence) => `- ${escapeText(sentence)}`)
  .join("\n")}
`;
}

const escapeText = (text: string) => text.replace(/[\\`*_<>[\]#]/g, "\\$&");
const escapeCell = (text: string) => (/^-+:?$/.test(text) ? text : escapeText(text).replaceAll("|", "\\|"));
