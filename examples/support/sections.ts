import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** One section of a Markdown file: what is under a heading, up to the next one. */
export interface Section {
  /** File name and place of the section in it, such as `retention.md#2`. */
  id: string;
  file: string;
  /** The headings above and of the section: `Retention › Legal hold`. */
  title: string;
  text: string;
}

/** The manual of an invented product that comes with the examples. */
export const exampleDocs = fileURLToPath(new URL("examples/docs/", import.meta.resolve("bge-reranker/package.json")));

/** All sections of the Markdown files in a folder and the folders in it. */
export async function loadSections(folder: string): Promise<Section[]> {
  const entries = await readdir(folder, { recursive: true });
  const names = entries.filter((name) => name.endsWith(".md") && !/(^|[\\/])(node_modules|\.)/.test(name)).sort();
  if (names.length === 0) throw new Error(`There are no Markdown files (*.md) in ${folder}.`);
  const files = names.map(async (name) =>
    splitSections(name.replaceAll("\\", "/"), await readFile(join(folder, name), "utf8")),
  );
  return (await Promise.all(files)).flat();
}

/** Cut a Markdown text at its headings. */
export function splitSections(name: string, markdown: string): Section[] {
  const sections: Section[] = [];
  const headings: string[] = [];
  let lines: string[] = [];
  let fenced = false;
  const flush = () => {
    const text = lines.join("\n").trim();
    const title = headings.filter(Boolean).join(" › ") || basename(name, ".md");
    if (text) sections.push({ id: `${name}#${sections.length + 1}`, file: name, title, text });
    lines = [];
  };
  for (const line of markdown.split(/\r?\n/)) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    const heading = fenced ? null : /^(#{1,6})\s+(.+?)\s*#*$/.exec(line);
    if (!heading) {
      lines.push(line);
      continue;
    }
    flush();
    const level = heading[1]!.length;
    headings.length = level;
    headings[level - 1] = heading[2]!;
  }
  flush();
  return sections;
}
