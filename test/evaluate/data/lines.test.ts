import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { PlacedFile, readLines } from "../../../src/evaluate/data/lines.js";
import { failsWith } from "../../support/errors.js";
import { temporaryFolder } from "../../support/paths.js";
import { lcg } from "../support/lcg.js";

it("reads a file larger than its buffer, and every line again by its place", async (t) => {
  const random = lcg(3);
  const lines = Array.from({ length: 4000 }, (_, i) => (i % 7 === 0 ? "" : "猫é ".repeat(random(300)) + i));
  lines[1000] = "long".repeat(600_000);
  const file = join(temporaryFolder(t), "lines");
  writeFileSync(file, `\ufeff${lines.join("\r\n")}`);
  const placed = new PlacedFile(file);
  t.after(() => placed.close());
  const read: [number, string][] = [];
  for await (const { text, number, place } of readLines(file)) {
    read.push([number, text]);
    if (random(20) === 0 || number === 1) assert.equal((await placed.read(place)).trimEnd(), text.trimEnd());
  }
  assert.deepEqual(
    read,
    lines.flatMap((line, index) => (line.trim() === "" ? [] : [[index + 1, line]])),
  );
});

it("names the line that is not UTF-8", async (t) => {
  const file = join(temporaryFolder(t), "lines");
  writeFileSync(file, Buffer.from("fine\n\xff\n", "latin1"));
  const read = async () => {
    for await (const _ of readLines(file));
  };
  await assert.rejects(read, failsWith("INPUT_INVALID", "line 2: not UTF-8"));
});
