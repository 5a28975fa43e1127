import { parseArgs } from "node:util";
import { show } from "../errors.js";
import type { OptionCheck } from "../validate.js";
import type { Io } from "./io.js";
import { wrap } from "./text.js";

/** One option of a command: a flag, or something with a value. */
export type Option = { help: string; short?: string } & (
  | { kind: "flag" }
  /** `value` names the value in the help, `check` refuses wrong ones. */
  | { kind: "text" | "number"; value: string; check?: OptionCheck }
);

export type Options = Readonly<Record<string, Option>>;

/** What the options of a command line were set to; absent ones are `undefined`. */
export type Values<O extends Options> = {
  [K in keyof O]?: O[K] extends { kind: "flag" } ? boolean : O[K] extends { kind: "number" } ? number : string;
};

/** An argument without a name, given by its place. */
export interface Positional {
  name: string;
  help: string;
  required: boolean;
}

/** A subcommand. To add one, write its file and list it in cli.ts. */
export interface Command<O extends Options = Options> {
  name: string;
  /** One line, for the list of commands. */
  summary: string;
  positionals: readonly Positional[];
  options: O;
  /** Further paragraphs of the help. */
  details: string;
  /** Does the work and returns the exit code; throws `UsageError` or `RerankError`. */
  run(input: { values: Values<O>; positionals: string[] }, io: Io): Promise<number>;
}

/** The command line is not as the help says: exit code 2. */
export class UsageError extends Error {}

/** Lets TypeScript infer the options' types. */
export function defineCommand<const O extends Options>(command: Command<O>): Command<O> {
  return command;
}

/** Options that every command has. */
export const commonOptions = {
  help: { kind: "flag", short: "h", help: "Show this help." },
  verbose: { kind: "flag", help: "With an error, show where it came from." },
} as const satisfies Options;

/** @throws UsageError */
export function parseCommandLine(command: Command, args: readonly string[]) {
  const options: Options = { ...command.options, ...commonOptions };
  const { values, positionals } = parse(options, args);
  if (values.help) return { values, positionals };
  const { length } = command.positionals;
  if (positionals.length > length) {
    const more = length === 0 ? "no arguments" : `at most ${length === 1 ? "one argument" : `${length} arguments`}`;
    throw new UsageError(`${command.name} takes ${more} besides options; ${show(positionals[length])} is one too many`);
  }
  const missing = command.positionals.slice(positionals.length).find(({ required }) => required);
  if (missing) throw new UsageError(`${command.name} needs ${missing.name}. ${missing.help}`);
  return { values, positionals };
}

function parse(options: Options, args: readonly string[]) {
  const config = Object.entries(options).map(([name, { kind, short }]) => {
    const type: "boolean" | "string" = kind === "flag" ? "boolean" : "string";
    return [name, { type, ...(short && { short }) }] as const;
  });
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options: Object.fromEntries(config), allowPositionals: true });
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (!code.startsWith("ERR_PARSE_ARGS")) throw error;
    throw new UsageError(message.replace(/\. To specify a positional argument .*$/s, "").replace(/\s*\n\s*/g, " "));
  }
  const values = Object.entries(parsed.values).map(([name, given]) => [name, checked(name, options[name]!, given)]);
  return { values: Object.fromEntries(values) as Values<Options>, positionals: parsed.positionals };
}

function checked(name: string, option: Option, given: unknown): unknown {
  if (option.kind === "flag") return given;
  const text = String(given).trim();
  const value = option.kind === "number" ? (text === "" ? Number.NaN : Number(text)) : given;
  const numeric = option.kind === "text" || !Number.isNaN(value);
  const expected = numeric ? option.check?.(value) : (option.check?.(value) ?? "a number");
  if (expected) throw new UsageError(`--${name} must be ${expected}, got ${show(given)}`);
  return value;
}

/** What `--help` prints. */
export function commandHelp(program: string, { name, summary, positionals, options, details }: Command): string {
  const places = positionals.map((place) => (place.required ? place.name : `[${place.name}]`));
  const all: Options = { ...options, ...commonOptions };
  const rows = Object.entries(all).map(([long, option]): [string, string] => {
    const value = option.kind === "flag" ? "" : ` ${option.value}`;
    return [`${option.short ? `-${option.short}, ` : "    "}--${long}${value}`, option.help];
  });
  const sections = [
    `Usage: ${[program, name, ...places, "[options]"].join(" ")}`,
    summary,
    columns(positionals.map((place) => [place.name, place.help])),
    `Options:\n${columns(rows)}`,
    details.split("\n\n").map(paragraph).join("\n\n"),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

/** Columns of the help. */
const WIDTH = 100;

/** Fills lines anew, unless some are indented: those are examples. */
function paragraph(text: string): string {
  return /^ {2}/m.test(text) ? text : wrap(text.replaceAll("\n", " "), WIDTH).join("\n");
}

/** Two columns, the second aligned and wrapped. */
export function columns(rows: readonly [string, string][], width = WIDTH): string {
  const left = Math.max(0, ...rows.map(([name]) => name.length)) + 2;
  const margin = `\n${" ".repeat(left + 2)}`;
  return rows.map(([name, text]) => `  ${name.padEnd(left)}${wrap(text, width - left - 2).join(margin)}`).join("\n");
}
