import { styleText } from "node:util";

const { stdout, env } = process;
const coloured = (stdout.isTTY || env.FORCE_COLOR) && !env.NO_COLOR;

/** Columns to fill. */
export const columns = Math.min(Math.max(60, stdout.columns || 100), 140);

type Format = "bold" | "dim" | "cyan" | "green" | "red";

/** `text` in a colour or weight, on terminals that want it. */
export function style(format: Format, text: string): string {
  return coloured ? styleText(format, text) : text;
}

/** Columns that a terminal gives to `text`: Chinese characters and their punctuation take two. */
function widthOf(text: string): number {
  return text.length + (text.match(/[\u2e80-\uffef]/g)?.length ?? 0);
}

/** Lines of at most `width` columns: broken at spaces, and between any two Chinese characters. */
export function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const piece of text.match(/[\u2e80-\uffef]|[^\s\u2e80-\uffef]+\s*/g) ?? []) {
    if (widthOf(lines.at(-1) + piece.trimEnd()) > width) lines.push("");
    lines[lines.length - 1] += piece;
  }
  return lines.map((line) => line.trimEnd());
}

/** The first line of `text`, with an ellipsis where something was cut. */
export function fit(text: string, width: number): string {
  const [line = "", ...rest] = wrap(text, width - 2);
  return rest.length === 0 ? line : `${line} …`;
}

/** A share of 1 as a bar. */
export function bar(share: number, width: number): string {
  return "█".repeat(Math.round(share * width)).padEnd(width, "·");
}
