#!/usr/bin/env node
import { PROGRAM, runCli } from "./cli.js";

const interrupt = new AbortController();
// Once: a second Ctrl-C ends the process at once.
process.once("SIGINT", () => interrupt.abort(new Error("Ctrl-C")));

for (const stream of [process.stdout, process.stderr]) {
  // The reader has seen enough (`| head`): nobody is left to tell.
  stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
}

process.removeAllListeners("warning");
process.on("warning", ({ name, message }) => {
  // A progress bar may stand on the line.
  const start = process.stderr.isTTY ? "\r\x1b[2K" : "";
  if (name !== "ExperimentalWarning") process.stderr.write(`${start}${PROGRAM}: ${message}\n`);
});

const { stdin, stdout, stderr, env } = process;
process.exitCode = await runCli(process.argv.slice(2), { stdin, stdout, stderr, env, signal: interrupt.signal });
// A load or a download that was stopped may still be under way; it leaves nothing half-written.
if (interrupt.signal.aborted) process.exit();
