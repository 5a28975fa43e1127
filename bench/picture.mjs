// Draws what a command prints on a terminal, as an SVG: node bench/picture.mjs OUT.svg [--lines N] -- COMMAND...
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { lines: { type: "string" } } });
const [out, command, ...args] = positionals;
const [WIDTH, LINE, COLUMNS] = [8.4, 20, 100]; // of a column and a line at 14 pixels; columns of the terminal
/** A terminal's colour sequence, or text up to the next one. */
const ESCAPE = String.fromCharCode(27);
const SEQUENCE = new RegExp(`${ESCAPE}\\[([\\d;]*)m|([^${ESCAPE}]+)`, "g");
const STYLES = {
  1: { "font-weight": "bold" },
  2: { class: "dim" },
  31: { class: "red" },
  32: { class: "green" },
  36: { class: "cyan" },
};

const style = new Map();
const printed = execFileSync(command, args, {
  encoding: "utf8",
  env: { ...process.env, FORCE_COLOR: "1", NO_COLOR: undefined },
});
const lines = printed
  .trimEnd()
  .split("\n")
  .slice(0, values.lines ? Number(values.lines) : undefined);
const height = lines.length * LINE + 32;
writeFileSync(
  out,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${COLUMNS * WIDTH + 32} ${height}" font-size="14" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC', monospace">
<style>.dim { fill: #8b949e } .red { fill: #ff7b72 } .green { fill: #56d364 } .cyan { fill: #79c0ff }</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g fill="#e6edf3">
${lines.map((line, number) => drawn(line, 30 + number * LINE)).join("\n")}
</g>
</svg>
`,
);

/** One line as `<text>` elements: each run of one style starts at its own column, whatever the font's width is. A style goes on over lines. */
function drawn(line, y) {
  const parts = [];
  let column = 0;
  for (const [, codes, text] of line.matchAll(SEQUENCE)) {
    if (text === undefined) {
      for (const code of codes.split(";").map(Number)) {
        if (code === 0 || code === 22 || code === 39) style.clear();
        else style.set(code, STYLES[code]);
      }
      continue;
    }
    // Chinese characters take two columns, so each run of them is placed, too.
    for (const run of text.match(/[\u2e80-\uffef]+|[^\u2e80-\uffef]+/g)) {
      const wide = /[\u2e80-\uffef]/.test(run);
      const attributes = Object.entries(Object.assign({}, ...style.values())).map(
        ([name, value]) => ` ${name}="${value}"`,
      );
      const columns = run.length * (wide ? 2 : 1);
      const length = (columns * WIDTH).toFixed(1);
      parts.push(
        `<text x="${(16 + column * WIDTH).toFixed(1)}" y="${y}" textLength="${length}"${attributes.join("")}>${escaped(run)}</text>`,
      );
      column += columns;
    }
  }
  return parts.filter((part) => !/>\u00a0+<\/text>$/.test(part)).join("");
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(" ", "\u00a0");
}
