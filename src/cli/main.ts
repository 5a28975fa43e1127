#!/usr/bin/env node
import { PROGRAM, runCli } from "./cli.js";

const interrupt = new AbortController();
// Once: a second Ctrl-C ends the process at once.
process.once("SIGINT", () => interrupt.abort(new Error("Ctrl-C")));

// The reader has seen enough (`| head`): nobody is left to tell.
process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => process.exit(code === "EPIPE" ? 0 : 1));
process.stderr.on("error", () => {});

process.removeAllListeners("warning");
process.on("warning", ({ name, message }) => {
  // A progress bar may stand on the line.
  const start = process.stderr.isTTY ? "\r\x1b[2K" : "";
  if (name !== "ExperimentalWarning") process.stderr.write(`${start}${PROGRAM}: ${message}\n`);
});

const { stdin, stdout, stderr, env } = process;
process.exitCode = await runCli(process.argv.slice(2), { stdin, stdout, stderr, env, signal: interrupt.signal });
// Ends as if Ctrl-C had not been caught, for the shell to see, and without waiting for what is still loading: that leaves
// nothing half-written, but an orderly exit in the middle of native code would crash.
if (interrupt.signal.aborted) process.kill(process.pid, "SIGINT");
