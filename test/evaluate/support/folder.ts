import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../../support/paths.js";

/** A folder with these files; lists are written as JSON lines. */
export function folderWith(
  context: { after: (clean: () => void) => void },
  files: Record<string, string | readonly object[]>,
): string {
  const folder = temporaryFolder(context);
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(
      file,
      typeof content === "string" ? content : content.map((row) => `${JSON.stringify(row)}\n`).join(""),
    );
  }
  return folder;
}

/** A small collection in BEIR's layout: three queries, of which the last finds nothing. */
export const BEIR = {
  "corpus.jsonl": [
    { _id: "cat", title: "Cats", text: "A cat sleeps most of the day." },
    { _id: "dog", title: "", text: "A dog barks at night." },
    { _id: "fish", text: "The fish swims in the sea." },
    { _id: "貓", text: "猫喜欢睡觉。" },
  ],
  "queries.jsonl": [
    { _id: "1", text: "which animal sleeps?" },
    { _id: "2", text: "猫睡觉" },
    { _id: "3", text: "unheard" },
    { _id: "4", text: "nobody judged this" },
  ],
  "qrels/test.tsv": "query-id\tcorpus-id\tscore\n1\tcat\t2\n1\tdog\t0\n2\t貓\t1\n3\tfish\t1\n",
};
