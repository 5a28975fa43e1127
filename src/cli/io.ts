import type { Readable } from "node:stream";

/** What a command sees of the process: its streams, and the signal that Ctrl-C fires. */
export interface Io {
  stdin: Readable & { isTTY?: boolean };
  stdout: Output;
  stderr: Output;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
}

/** A stream for text; `columns` only matter on a terminal. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Colours that are colours on a terminal that wants them, and nothing elsewhere. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  cyan(text: string): string;
}

/** `NO_COLOR` is https://no-color.org. */
export function paint(output: Output, env: Io["env"]): Paint {
  const on = output.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
  const colour = (code: number, end: number) => (text: string) => (on ? `\x1b[${code}m${text}\x1b[${end}m` : text);
  return {
    bold: colour(1, 22),
    dim: colour(2, 22),
    red: colour(31, 39),
    green: colour(32, 39),
    cyan: colour(36, 39),
  };
}

/** Columns of the terminal behind `output`, or of a common one. */
export function terminalWidth(output: Output): number {
  return Math.max(40, output.columns || 80);
}
