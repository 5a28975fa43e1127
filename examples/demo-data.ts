import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { exampleDocs, loadSections } from "./support/sections.js";

/** A question to the manual, with the sections that answer it: written down before anything was ranked. */
export interface Question {
  query: string;
  /** The question's language and, where it differs, the answer's: `en`, `zh`, `en-zh` or `zh-en`. */
  languages: string;
  /** Indices into `passages`. */
  relevant: ReadonlySet<number>;
}

const sections = await loadSections(exampleDocs);

/** The manual of an invented backup server, 20 chapters in English and 5 in Chinese: a passage a section, its headings first. */
export const passages: readonly string[] = sections.map(
  ({ title, text }) => `${title}: ${text.replace(/\s*\n\s*/g, " ")}`,
);

/** File and heading of each passage, such as `restore.md#One file or folder`. */
const ids = sections.map(({ file, title }) => `${file}#${title.split(" › ").at(-1)}`);

/** All questions of `questions.jsonl`: 32 in English, 8 in Chinese, 20 answered (only, or also) in the other language. */
export const questions: readonly Question[] = (await readFile(file("questions.jsonl"), "utf8"))
  .trim()
  .split("\n")
  .map((line) => {
    const { query, languages, relevant } = JSON.parse(line) as { query: string; languages: string; relevant: string[] };
    return { query, languages, relevant: new Set(relevant.map((id) => ids.indexOf(id))) };
  });

function file(name: string): string {
  return fileURLToPath(new URL(`examples/${name}`, import.meta.resolve("bge-reranker/package.json")));
}
