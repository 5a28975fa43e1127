import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../../src/cli/cli.js";
import { ownCache } from "./checkpoint.js";
import { fakeIo } from "./io.js";
import { repoRoot, temporaryFolder } from "./paths.js";

export const MAIN = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

export interface Ran {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** What is written to standard input. */
  input?: string | Buffer;
  env?: Record<string, string>;
}

/**
 * The environment of a command line that sees nothing of this machine's own settings and caches, but the cache of this
 * test file, where it has one.
 */
export function cleanEnvironment(t: TestContext, extra: Record<string, string> = {}): Record<string, string> {
  const home = temporaryFolder(t);
  // NODE_OPTIONS holds the guard that keeps the tests off the network.
  const { PATH = "", SystemRoot, NODE_OPTIONS } = process.env;
  return {
    PATH,
    ...(SystemRoot && { SystemRoot }),
    ...(NODE_OPTIONS && { NODE_OPTIONS }),
    HOME: home,
    BGE_RERANKER_CACHE: ownCache ?? `${home}/derived`,
    ...extra,
  };
}

/** Starts `bge-reranker` as a process of its own, in the repository's root. */
export function start(t: TestContext, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: repoRoot, env: cleanEnvironment(t, env) });
  t.after(() => child.kill("SIGKILL"));
  const closed = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on("close", (code, signal) => resolve([code, signal]));
  });
  return { child, closed };
}

/** Runs `bge-reranker` to its end. */
export async function run(t: TestContext, args: readonly string[], { input = "", env }: RunOptions = {}): Promise<Ran> {
  const { child, closed } = start(t, args, env);
  child.stdin.on("error", () => {}); // it may end without having read anything
  child.stdin.end(input);
  const [stdout, stderr, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, signal, stdout, stderr };
}

/**
 * Runs a command line inside this process: soon done, and the same but for `main.ts`, whose matters are signals, the
 * exit, broken pipes and how warnings look. Threads that stay from one run to the next know the first one's environment,
 * so that the cache of what is derived should be the test file's (`useOwnCache`), unless nothing is loaded.
 */
export async function runInside(
  t: TestContext,
  args: readonly string[],
  { input = "", env: extra }: RunOptions = {},
): Promise<Ran> {
  const env = cleanEnvironment(t, extra);
  const { io, written } = fakeIo({ env, input: String(input) });
  const listen = ({ message }: Error) => void io.stderr.write(`${message}\n`);
  const before = { ...process.env };
  replaceEnvironment(env);
  process.on("warning", listen);
  try {
    const code = await runCli(args, io);
    // Warnings are told in a later step.
    await new Promise((resume) => setImmediate(resume));
    return { code, signal: null, ...written };
  } finally {
    process.off("warning", listen);
    replaceEnvironment(before);
  }
}

function replaceEnvironment(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
}
