import { RerankError, show } from "../errors.js";
import { type Command, columns, commandHelp, parseCommandLine, UsageError } from "./command.js";
import { benchCommand } from "./commands/bench.js";
import { cacheCommand } from "./commands/cache.js";
import { downloadCommand } from "./commands/download.js";
import { evalCommand } from "./commands/eval.js";
import { infoCommand } from "./commands/info.js";
import { rankCommand } from "./commands/rank.js";
import { verifyCommand } from "./commands/verify.js";
import { type Io, paint } from "./io.js";
import { oneLine } from "./text.js";
import { packageVersion } from "./version.js";

export const PROGRAM = "bge-reranker";

/** The subcommands, in the order of the help. */
export const commands: readonly Command[] = [
  rankCommand,
  infoCommand,
  downloadCommand,
  verifyCommand,
  benchCommand,
  evalCommand,
  cacheCommand,
];

/** Exit codes: 0 done, 1 an error, 2 a command line that is not understood, 130 stopped by Ctrl-C (as shells show it). */
const EXIT = { done: 0, error: 1, usage: 2, interrupted: 130 } as const;

/**
 * Runs one command line. Never throws and never ends the process: data goes to stdout, everything else to stderr, and
 * the exit code is returned.
 */
export async function runCli(args: readonly string[], io: Io, known: readonly Command[] = commands): Promise<number> {
  const [name = "", ...rest] = args;
  try {
    if (name === "--version") return print(io, `${packageVersion()}\n`);
    if (name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) return print(io, help(known));
    const wanted = name === "help" ? rest[0] : name;
    if (wanted === "") {
      io.stderr.write(help(known));
      return EXIT.usage;
    }
    const command = known.find((candidate) => candidate.name === wanted);
    if (!command) throw unknownCommand(wanted!, known);
    if (name === "help") return print(io, commandHelp(PROGRAM, command));
    const input = parseCommandLine(command, rest);
    return input.values.help ? print(io, commandHelp(PROGRAM, command)) : await command.run(input, io);
  } catch (error) {
    return report(error, args, io);
  }
}

function print(io: Io, text: string): number {
  io.stdout.write(text);
  return EXIT.done;
}

function help(known: readonly Command[]): string {
  return `Usage: ${PROGRAM} COMMAND [options]

Rerank passages for a question with a cross-encoder that runs on this machine.

Commands:
${columns(known.map(({ name, summary }): [string, string] => [name, summary]))}

${PROGRAM} COMMAND --help describes a command, ${PROGRAM} --version prints the version.
`;
}

function unknownCommand(name: string, known: readonly Command[]): UsageError {
  const list = known.map((command) => command.name).join(", ");
  return new UsageError(`There is no command ${show(name)}; there are ${list}`);
}

function report(error: unknown, args: readonly string[], io: Io): number {
  const { red } = paint(io.stderr, io.env);
  const say = (text: string) => io.stderr.write(`${red(`${PROGRAM}:`)} ${text}\n`);
  if (io.signal.aborted) {
    say("stopped");
    return EXIT.interrupted;
  }
  if (error instanceof UsageError) {
    const command = commands.some(({ name }) => name === args[0]) ? `${args[0]} ` : "";
    say(`${error.message.replace(/\.$/, "")}. Try ${PROGRAM} ${command}--help.`);
    return EXIT.usage;
  }
  const message = oneLine(error instanceof Error ? error.message : String(error));
  say(error instanceof RerankError ? `${message} [${error.code}]` : message);
  if (args.includes("--verbose")) io.stderr.write(`${story(error)}\n`);
  return error instanceof RerankError && error.code === "OPTION_INVALID" ? EXIT.usage : EXIT.error;
}

/** Stacks of an error and of what caused it. */
function story(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\nCaused by: ${story(error.cause)}`;
}
