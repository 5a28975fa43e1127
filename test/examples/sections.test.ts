import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { exampleDocs, loadSections, splitSections } from "../../examples/support/sections.js";

describe("splitSections", () => {
  it("cuts at headings and names each section by the headings above it", () => {
    const markdown = "# Top\n\nintro\n\n## A\n\na text\n\n### A1\ndeep\n\n## B ##\r\nb text\n";
    assert.deepEqual(splitSections("x.md", markdown), [
      { id: "x.md#1", file: "x.md", title: "Top", text: "intro" },
      { id: "x.md#2", file: "x.md", title: "Top › A", text: "a text" },
      { id: "x.md#3", file: "x.md", title: "Top › A › A1", text: "deep" },
      { id: "x.md#4", file: "x.md", title: "Top › B", text: "b text" },
    ]);
  });

  it("leaves out headings without text, and takes no comment in code for a heading", () => {
    assert.deepEqual(splitSections("x.md", "# Only\n## Code\n```sh\n# not a heading\n```"), [
      { id: "x.md#1", file: "x.md", title: "Only › Code", text: "```sh\n# not a heading\n```" },
    ]);
  });

  it("copes with skipped levels and text without any heading", () => {
    assert.deepEqual(
      splitSections("x.md", "before\n### Deep\ntext\n# Top\nend").map(({ title }) => title),
      ["x", "Deep", "Top"],
    );
  });
});

describe("loadSections", () => {
  it("reads the manual of the examples, in English and Chinese", async () => {
    const sections = await loadSections(exampleDocs);
    assert.ok(sections.length > 80);
    assert.equal(new Set(sections.map(({ id }) => id)).size, sections.length);
    assert.ok(sections.some(({ file, title }) => file === "billing.md" && title === "Plans and billing › Refunds"));
    assert.ok(sections.filter(({ text }) => /\p{Script=Han}{5}/u.test(text)).length >= 15);
  });

  it("reads folders in the folder too, but no packages and nothing hidden", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bge-reranker-docs-"));
    try {
      for (const name of ["a.md", "b/c/d.md", "node_modules/p/e.md", ".git/f.md"]) {
        await mkdir(dirname(join(folder, name)), { recursive: true });
        await writeFile(join(folder, name), `text of ${name}`);
      }
      const sections = await loadSections(folder);
      assert.deepEqual(
        sections.map(({ file }) => file),
        ["a.md", "b/c/d.md"],
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("says so when there is nothing to read", async () => {
    const empty = await mkdtemp(join(tmpdir(), "bge-reranker-docs-"));
    try {
      await assert.rejects(loadSections(empty), /no Markdown files/);
    } finally {
      await rm(empty, { recursive: true });
    }
  });
});
