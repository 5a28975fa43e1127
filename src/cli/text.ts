/*
 * Text for terminals: East Asian characters and emoji take two columns, and what comes out of documents must not be able
 * to move the cursor or change colours.
 */

const WIDE =
  /^(?:\p{Emoji_Presentation}|.\u{fe0f}|[\u{1100}-\u{115f}\u{2e80}-\u{303e}\u{3041}-\u{a4cf}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff01}-\u{ff60}\u{ffe0}-\u{ffe6}\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}])/u;
const INVISIBLE = /^[\p{M}\p{Cf}\p{Cc}]+$/u;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Columns that a terminal gives to `text`. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

function graphemeWidth(segment: string): number {
  if (WIDE.test(segment)) return 2;
  return INVISIBLE.test(segment) ? 0 : 1;
}

/** Cuts `text` to at most `width` columns, the last an ellipsis when something was cut. */
export function fit(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += graphemeWidth(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return width < 1 ? "" : `${kept.trimEnd()}…`;
}

/** Fills `text` up to `width` columns with spaces. */
export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/** `text` on one line, without control characters, escape sequences' starts and direction overrides. */
export function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, "")
    .trim();
}

/** Lines of at most `width` columns, broken at spaces where there are any; a wide character may end a line too. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  // CJK text has no spaces, so each of its characters is a piece of its own.
  for (const piece of text.match(/\s+|[^\s\u2e80-\uffef]+|[\u2e80-\uffef]/g) ?? []) {
    if (displayWidth(line + piece) > width && line !== "") {
      lines.push(line.trimEnd());
      line = "";
    }
    line += line === "" ? piece.trimStart() : piece;
  }
  return line.trim() === "" ? lines : [...lines, line.trimEnd()];
}

/** Bytes for people, in decimal units as disks and downloads are sold: `1.1 GB`. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  const value = count / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** `1 file`, `2 files`. */
export function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
