import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { passages, questions } from "../../examples/demo-data.js";
import { repoRoot } from "../support/paths.js";

test("the demo's data: 60 questions, 20 of them across languages, each with sections of the manual that answer it", () => {
  assert.equal(questions.length, 60);
  assert.equal(new Set(questions.map(({ query }) => query)).size, 60);
  assert.equal(questions.filter(({ languages }) => languages.includes("-")).length, 20);
  assert.equal(new Set(passages).size, passages.length);
  for (const { query, relevant } of questions) {
    assert.ok(relevant.size > 0, query);
    for (const index of relevant) assert.ok(passages[index], query);
  }
});

test("the demo shows what came first before and after, counts it, and fits its lines", async () => {
  const demo = join(repoRoot, "dist/examples/demo.js");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [demo], { timeout: 120_000 });
  assert.equal(stderr, "");
  const shown = questions.filter((_, number) => number % 7 === 0);
  for (const { query, relevant } of shown) {
    const [, before, after] = stdout.slice(stdout.indexOf(`\n${query}  `) + 1).split("\n");
    for (const [line, name] of [
      [before!, "BM25"],
      [after!, "reranked"],
    ] as const) {
      const [, mark, text] = new RegExp(`^  ${name} +([✓✗])  (.{28})`).exec(line)!;
      const first = passages.findIndex((passage) => unspaced(passage).startsWith(unspaced(text!)));
      assert.ok(first >= 0, line);
      assert.equal(mark === "✓", relevant.has(first), line);
    }
  }
  const all = /^ {2}all +60 +(\d+) ► (\d+) +(\d+) ► (\d+)$/m.exec(stdout)!.slice(1).map(Number);
  const groups = [...stdout.matchAll(/^ {2}(?:English|Chinese).* (\d+) +(\d+) ► (\d+) +(\d+) ► (\d+)$/gm)];
  assert.deepEqual(
    all,
    [2, 3, 4, 5].map((cell) => groups.reduce((sum, row) => sum + Number(row[cell]), 0)),
  );
  for (const line of stdout.split("\n")) {
    const wide = line.match(/[\u2e80-\uffef]/g)?.length ?? 0;
    assert.ok(line.length + wide <= 100, line);
  }
  assert.match(stdout, /small and makes\s+mistakes/);
});

/** Where a line breaks, a space may be lost. */
function unspaced(text: string): string {
  return text.replace(/\s/g, "");
}
