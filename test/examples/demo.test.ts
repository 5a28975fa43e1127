import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { passages, questions } from "../../examples/demo-data.js";
import { repoRoot } from "../support/paths.js";

test("the demo's data: at least 15 passages, and each answer is one of them", () => {
  assert.ok(passages.length >= 15);
  assert.equal(new Set(passages).size, passages.length);
  for (const beginning of questions.flatMap(({ answers }) => answers)) {
    assert.equal(passages.filter((passage) => passage.startsWith(beginning)).length, 1, beginning);
  }
});

test("the demo prints, for each question, scores in descending order and lines that fit", async () => {
  const demo = join(repoRoot, "dist/examples/demo.js");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [demo], { timeout: 60_000 });
  assert.equal(stderr, "");
  const [, ...sections] = stdout.split(/\n\n/);
  for (const [index, { text }] of questions.entries()) {
    const lines = sections[index]!.split("\n");
    assert.ok(lines[0]!.startsWith(text));
    const scores = lines.flatMap((line) => /^ {2}\d .* (0\.\d{3}) /.exec(line)?.[1] ?? []).map(Number);
    assert.equal(scores.length, 5);
    assert.deepEqual(
      scores,
      scores.toSorted((a, b) => b - a),
    );
  }
  for (const line of stdout.split("\n")) {
    const wide = line.match(/[\u2e80-\uffef]/g)?.length ?? 0;
    assert.ok(line.length + wide <= 100, line);
  }
  assert.match(stdout, /small and makes\s+mistakes/);
});
