import assert from "node:assert/strict";
import { test } from "node:test";
import { commands, runCli } from "../../src/cli/cli.js";
import { type Command, defineCommand, UsageError } from "../../src/cli/command.js";
import { RerankError } from "../../src/errors.js";
import { isPositiveInteger } from "../../src/validate.js";
import { fakeIo } from "../support/io.js";

/** A command that keeps what it was called with. */
function recorder(run: Command["run"] = async () => 0) {
  const calls: unknown[] = [];
  const command = defineCommand({
    name: "try",
    summary: "Tries.",
    positionals: [
      { name: "FROM", required: true, help: "Where from." },
      { name: "TO", required: false, help: "Where to." },
    ],
    options: {
      count: { kind: "number", short: "c", value: "N", check: isPositiveInteger, help: "How many." },
      level: { kind: "number", value: "X", help: "Any number." },
      name: { kind: "text", value: "TEXT", help: "Who." },
      fast: { kind: "flag", help: "Hurry." },
    },
    details: "More about trying.",
    run: (input, io) => {
      calls.push({ ...input.values, positionals: input.positionals });
      return run(input, io);
    },
  });
  const call = async (...args: string[]) => {
    const { io, written } = fakeIo();
    return { code: await runCli(args, io, [command]), ...written };
  };
  return { call, calls };
}

test("options and arguments arrive with their types", async () => {
  const { call, calls } = recorder();
  assert.deepEqual(await call("try", "here", "-c", "3", "--level=-2.5", "--name", "", "--fast", "there"), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  await call("try", "--", "--here");
  assert.deepEqual(calls, [
    { count: 3, level: -2.5, name: "", fast: true, positionals: ["here", "there"] },
    { positionals: ["--here"] },
  ]);
});

test("a command line that is not understood: one line on stderr, exit code 2, nothing is run", async () => {
  const { call, calls } = recorder();
  const wrong: [string[], RegExp][] = [
    [["frob"], /There is no command "frob"; there are try\./],
    [["try"], /try needs FROM\. Where from\./],
    [["try", "a", "b", "c"], /try takes at most 2 arguments besides options; "c" is one too many/],
    [["try", "a", "--frob"], /Unknown option '--frob'\. Try/],
    [["try", "a", "--count"], /'-c, --count <value>' argument missing/],
    [["try", "a", "--fast=yes"], /'--fast' does not take an argument/],
    [["try", "a", "--count", "0"], /--count must be a positive integer, got "0"/],
    [["try", "a", "--count", "1.5"], /--count must be a positive integer, got "1\.5"/],
    [["try", "a", "--count", "many"], /--count must be a positive integer, got "many"/],
    [["try", "a", "--level", "high"], /--level must be a number, got "high"/],
    [["try", "a", "--level", ""], /--level must be a number, got ""/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await call(...args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, message);
    assert.match(stderr, /^bge-reranker: .* --help\.\n$/);
  }
  assert.deepEqual(calls, []);
});

test("no command at all: the help on stderr, exit code 2", async () => {
  const { call } = recorder();
  const { code, stdout, stderr } = await call();
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /Usage: bge-reranker COMMAND[\s\S]*try +Tries\./);
});

test("help names every argument and option, without running anything", async () => {
  const { call, calls } = recorder();
  for (const args of [
    ["try", "--help"],
    ["try", "-h", "and", "more"],
    ["help", "try"],
  ]) {
    const { code, stdout, stderr } = await call(...args);
    assert.equal(code, 0);
    assert.equal(stderr, "");
    for (const part of [
      "try FROM [TO] [options]",
      "Where to.",
      "-c, --count N",
      "--name TEXT",
      "--fast",
      "--verbose",
      "More about trying.",
    ]) {
      assert.ok(stdout.includes(part), part);
    }
  }
  assert.deepEqual(calls, []);
});

test("errors of the work: one line and exit code 1; --verbose adds where they came from", async () => {
  const cause = new Error("the disk\nis full");
  const fails = () => recorder(() => Promise.reject(new RerankError("DOWNLOAD_FAILED", "Cannot\nwrite.", { cause })));
  const { code, stdout, stderr } = await fails().call("try", "a");
  assert.deepEqual(
    { code, stdout, stderr },
    { code: 1, stdout: "", stderr: "bge-reranker: Cannot write. [DOWNLOAD_FAILED]\n" },
  );
  const told = (await fails().call("try", "a", "--verbose")).stderr;
  assert.match(
    told,
    /^bge-reranker: Cannot write\. \[DOWNLOAD_FAILED\]\nRerankError: [\s\S]*Caused by: Error: the disk\nis full\n/,
  );
});

test("exit codes: what the command returns, 2 for options that the library refuses, 2 for a usage error", async () => {
  assert.equal((await recorder(async () => 7).call("try", "a")).code, 7);
  const refused = recorder(() => Promise.reject(new RerankError("OPTION_INVALID", "No.")));
  assert.equal((await refused.call("try", "a")).code, 2);
  assert.equal((await recorder(() => Promise.reject(new UsageError("No"))).call("try", "a")).code, 2);
});

test("after Ctrl-C: exit code 130, whatever the command threw", async () => {
  const { io, written, abort } = fakeIo();
  const command = defineCommand({
    name: "wait",
    summary: "",
    positionals: [],
    options: {},
    details: "",
    run: async () => {
      abort.abort();
      throw new Error("aborted somewhere deep");
    },
  });
  assert.equal(await runCli(["wait"], io, [command]), 130);
  assert.equal(written.stderr, "bge-reranker: stopped\n");
});

test("every command's help fits into 100 columns", async () => {
  for (const { name } of commands) {
    const { io, written } = fakeIo();
    assert.equal(await runCli([name, "--help"], io), 0);
    const long = written.stdout.split("\n").filter((line) => line.length > 100);
    assert.deepEqual(long, []);
  }
});
