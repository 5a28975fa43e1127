import { Readable } from "node:stream";
import type { Io } from "../../src/cli/io.js";

/** Streams for a command that runs inside the test, and what was written to them. */
export function fakeIo(settings: { terminal?: boolean; columns?: number; env?: Io["env"]; input?: string } = {}) {
  const { terminal = false, columns, env = {}, input = "" } = settings;
  const written = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    isTTY: terminal,
    ...(columns !== undefined && { columns }),
    write: (text: string) => {
      written[name] += text;
    },
  });
  const abort = new AbortController();
  const stdin = Readable.from([Buffer.from(input)]);
  const io: Io = { stdin, stdout: stream("stdout"), stderr: stream("stderr"), env, signal: abort.signal };
  return { io, written, abort };
}
