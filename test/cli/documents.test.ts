import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Format, readDocuments } from "../../src/cli/documents.js";
import { fakeIo } from "../support/io.js";
import { temporaryFolder } from "../support/paths.js";

function readFile(t: TestContext, name: string, content: string | Buffer, format?: Format) {
  const file = join(temporaryFolder(t), name);
  writeFileSync(file, content);
  return readDocuments(file, format, fakeIo().io);
}

const readStdin = (input: string, format?: Format) => readDocuments("-", format, fakeIo({ input }).io);

test("lines of text: empty ones are skipped, numbers are those of the file", async () => {
  const documents = await readStdin("\ufeffone\r\n\r\n  two \nthree");
  assert.deepEqual(
    documents.map(({ text, line }) => [text, line]),
    [
      ["one", 1],
      ["  two ", 3],
      ["three", 4],
    ],
  );
  assert.deepEqual(await readStdin(" \n\n"), []);
});

test("JSON lines: all members are kept", async (t) => {
  const given = [
    { id: "a", text: "one\ntwo", url: "https://example.org" },
    { id: 7, text: "" },
  ];
  const lines = given.map((value) => JSON.stringify(value)).join("\n");
  for (const documents of [
    await readStdin(`${lines}\n`),
    await readFile(t, "x.jsonl", lines),
    await readFile(t, "x.NDJSON", lines),
    await readFile(t, "x.log", lines),
    await readFile(t, "x.txt", lines, "jsonl"),
  ]) {
    assert.deepEqual(
      documents.map((document) => document.given),
      given,
    );
    assert.deepEqual(
      documents.map(({ text }) => text),
      ["one\ntwo", ""],
    );
  }
});

test("braces in a .txt file, or with --format text, are text", async (t) => {
  for (const documents of [await readFile(t, "x.txt", "{a}\n{b"), await readStdin("{a}\n{b", "text")]) {
    assert.deepEqual(
      documents.map(({ text }) => text),
      ["{a}", "{b"],
    );
  }
});

test("a line that is not what the file promises is named", async (t) => {
  const good = '{"text":"one"}';
  const bad: [string, RegExp][] = [
    ['{"text":"two"', /^Line 3 of .*x\.jsonl is not JSON: /],
    ["two", /^Line 3 of .* is not JSON: "two"/],
    ['"two"', /^Line 3 .* must be an object with a string in "text", got "two"\.$/],
    ['{"body":"two"}', /^Line 3 .* got {"body":"two"}/],
    ['{"text":2}', /^Line 3 .* got {"text":2}/],
    ["null", /^Line 3 .* got null/],
    ['["two"]', /^Line 3 .* got \["two"\]/],
  ];
  for (const [line, message] of bad) {
    await assert.rejects(readFile(t, "x.jsonl", `${good}\n\n${line}\n${good}`), { code: "INPUT_INVALID", message });
  }
  await assert.rejects(readStdin("{not json\nbut text"), { message: /Line 1 .* give --format text\.$/ });
});

test("what cannot be read says so", async (t) => {
  const folder = temporaryFolder(t);
  await assert.rejects(readDocuments(join(folder, "absent"), undefined, fakeIo().io), {
    code: "INPUT_INVALID",
    message: /absent: there is no such file\.$/,
  });
  await assert.rejects(readDocuments(folder, undefined, fakeIo().io), { message: /it is a folder\.$/ });
  // PowerShell's > wrote UTF-16 for years.
  await assert.rejects(readFile(t, "x.txt", Buffer.from("\ufeffone", "utf16le")), { message: /is not UTF-8 text/ });
});
