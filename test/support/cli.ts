import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
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

/** The environment of a command line that sees nothing of this machine's own settings and caches. */
export function cleanEnvironment(t: TestContext, extra: Record<string, string> = {}): Record<string, string> {
  const home = temporaryFolder(t);
  // NODE_OPTIONS holds the guard that keeps the tests off the network.
  const { PATH = "", SystemRoot, NODE_OPTIONS } = process.env;
  return {
    PATH,
    ...(SystemRoot && { SystemRoot }),
    ...(NODE_OPTIONS && { NODE_OPTIONS }),
    HOME: home,
    BGE_RERANKER_CACHE: `${home}/derived`,
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
