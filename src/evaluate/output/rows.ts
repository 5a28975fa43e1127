import type { EvaluatedSetting, Evaluation } from "../evaluation.js";
import { figure } from "./findings.js";

/** A table of text. */
export interface Rows {
  head: string[];
  /** The first cell is text, the others are figures. */
  rows: string[][];
}

/** Settings and measures, latency and speed. A superscript names the settings that are beaten significantly. */
export function tableRows({ measures, settings }: Evaluation): Rows {
  const [first, ...others] = measures;
  const timed = settings.some(({ latency }) => latency);
  const head = [
    "",
    "setting",
    first!,
    "95 % interval",
    ...others,
    ...(timed ? ["p50", "p95", "pairs/s", "tokens/s"] : []),
  ];
  const rows = settings.map((setting) => {
    const { mean, low, high } = setting.metrics[first!]!;
    return [
      setting.letter,
      setting.name,
      figure(mean) + superscript(setting.beats),
      `${figure(low)} – ${figure(high)}`,
      ...others.map((measure) => figure(setting.metrics[measure]!.mean)),
      ...(timed ? speedCells(setting) : []),
    ];
  });
  return { head, rows };
}

function speedCells({ kind, latency }: EvaluatedSetting): string[] {
  if (!latency || kind === "blend") return ["", "", "", ""];
  const { p50Ms, p95Ms, pairsPerSecond, tokensPerSecond } = latency;
  const rate = (value: number | undefined) => (value === undefined ? "" : Math.round(value).toLocaleString("en"));
  return [milliseconds(p50Ms), milliseconds(p95Ms), rate(pairsPerSecond), rate(tokensPerSecond)];
}

export const milliseconds = (ms: number): string => (ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`);

/** `ᵃᵇ`: letters that Unicode has raised. */
export const superscript = (letters: string): string =>
  Array.from(letters, (letter) => "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖ"[letter.charCodeAt(0) - 97] ?? `^${letter}`).join("");
