import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { repoRoot } from "./support/paths.js";

/** Files at the top of src that every room may import; they import only each other. */
const SHARED = ["types", "errors", "validate", "request", "warn", "own-files"];

const WAYS_IN = ["adapters", "server", "evaluate", "finetune"];

/**
 * What each room may import besides the shared files and itself: rooms, single files (`room/file`), or the types of a
 * room (`type room`). Loading a model, `info` and the caches reach through a room to the ones below it.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  cache: [],
  http: [],
  model: ["cache", "http"],
  tokenizer: ["cache", "model"],
  graph: ["cache", "model"],
  runtime: ["cache", "type graph", "type tokenizer"],
  engine: ["model", "tokenizer", "graph", "runtime"],
  threads: ["type graph", "runtime", "engine"],
  rerankers: ["runtime/devices", "engine/resolve-model", "threads"],
  remote: ["http", "rerankers/base"],
  ...Object.fromEntries(WAYS_IN.map((room) => [room, ["rerankers", "remote"]])),
  cli: ["cache", "model", "graph", "engine/resolve-model", "runtime", "threads", "rerankers", "remote", ...WAYS_IN],
  index: ["rerankers", "remote"],
};

/** Packages that only one room may know. */
const ONLY_IN: Readonly<Record<string, string>> = {
  "onnxruntime-node": "runtime",
  "@huggingface/tokenizers": "tokenizer",
  "@langchain": "adapters",
  llamaindex: "adapters",
  ai: "adapters",
};

const MOST_LINES_OF_FILE = 300;
const LARGEST_ROOM = 1 / 5;

interface Arrow {
  /** Path below src, without its ending. */
  from: string;
  /** The same, or a package's name as it is imported. */
  to: string;
  onlyTypes: boolean;
}

const src = join(repoRoot, "src");
const files = new Map(
  readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => [name.slice(0, -3).replaceAll("\\", "/"), readFileSync(join(src, name), "utf8")]),
);
const arrows = [...files].flatMap(([file, text]) => arrowsOf(file, text));

/** All that a file imports: statements, import() of values and types, and every other path in quotes that ends in `.js`. */
function arrowsOf(from: string, text: string): Arrow[] {
  const statement = /^(?:import|export)(?<type> type)?(?:\s[^;"]*?\sfrom)? "(?<imported>[^"]+)";$/;
  const called = /\bimport\("(?<called>[^"]+)"\)/;
  const quoted = /["'`](?<quoted>\.\.?\/[^"'`\s]*\.js)["'`]/;
  const any = new RegExp([statement, called, quoted].map(({ source }) => source).join("|"), "gm");
  return [...text.matchAll(any)].map(({ groups = {} }) => {
    const specifier = groups.imported ?? groups.called ?? groups.quoted!;
    const to = specifier.startsWith(".")
      ? join(dirname(from), specifier).replaceAll("\\", "/").slice(0, -3)
      : specifier;
    return { from, to, onlyTypes: groups.type !== undefined };
  });
}

function roomOf(file: string): string {
  if (SHARED.includes(file)) return "shared";
  return file.split("/")[0]!;
}

function isAllowed({ from, to, onlyTypes }: Arrow): boolean {
  const [here, there] = [roomOf(from), roomOf(to)];
  if (here === there || there === "shared") return true;
  return MAY_IMPORT[here]!.some(
    (allowed) => allowed === there || allowed === to || (onlyTypes && allowed === `type ${there}`),
  );
}

/** To other files of ours. */
const arrowsFrom = (file: string) => arrows.filter(({ from, to }) => from === file && files.has(to));

const show = ({ from, to }: Arrow) => `${from} → ${to}`;

it("the test sees the imports: statements and calls", () => {
  const seen = arrows.map(show);
  const known = [
    "index → types",
    "threads/engine-host → engine/engine",
    "threads/engine-client → threads/engine-host",
    "runtime/onnxruntime → onnxruntime-node",
  ];
  assert.deepEqual(
    known.filter((arrow) => !seen.includes(arrow)),
    [],
  );
});

it("every file is reached from what the package exports, or opens by its path", () => {
  const { exports, bin } = JSON.parse(readFileSync(join(repoRoot, "package.json"), "utf8"));
  const entries = JSON.stringify([exports, bin]).matchAll(/dist\/src\/([^"]+)\.js/g);
  const opened = files.get("own-files")!.matchAll(/"dist\/src\/([^"]+)\.js"/g);
  const reached = new Set(Array.from([...entries, ...opened], ([, file]) => file!));
  for (const file of reached) for (const { to } of arrowsFrom(file)) reached.add(to);
  assert.deepEqual(
    [...files.keys()].filter((file) => !reached.has(file)),
    [],
  );
});

it("every file stands in a room that is known", () => {
  const homeless = [...files.keys()].filter((file) => !Object.hasOwn(MAY_IMPORT, roomOf(file)));
  assert.deepEqual(homeless, []);
});

it("each room imports only rooms below it, types included", () => {
  const up = arrows.filter((arrow) => files.has(arrow.to) && !isAllowed(arrow));
  assert.deepEqual(up.map(show), []);
});

it("no file needs itself, however long the way round", () => {
  const done = new Set<string>();
  const circleFrom = (file: string, path: readonly string[]): string | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file].join(" → ");
    if (done.has(file)) return undefined;
    for (const { to } of arrowsFrom(file)) {
      const circle = circleFrom(to, [...path, file]);
      if (circle) return circle;
    }
    done.add(file);
    return undefined;
  };
  const circles = new Set([...files.keys()].flatMap((file) => circleFrom(file, []) ?? []));
  assert.deepEqual([...circles], []);
});

it("a package is known to its one room only", () => {
  const strangers = arrows.filter(({ from, to }) => {
    const [name] = Object.keys(ONLY_IN).filter((name) => to === name || to.startsWith(`${name}/`));
    return name !== undefined && roomOf(from) !== ONLY_IN[name];
  });
  assert.deepEqual(strangers.map(show), []);
});

it("no room holds more than a fifth of the lines, and no file more than 300", () => {
  const lines = [...files].map(([file, text]) => ({ file, count: text.split("\n").length - 1 }));
  const total = lines.reduce((sum, { count }) => sum + count, 0);
  const sizes = new Map<string, number>();
  for (const { file, count } of lines) sizes.set(roomOf(file), (sizes.get(roomOf(file)) ?? 0) + count);
  assert.deepEqual(
    [...sizes].filter(([, count]) => count > total * LARGEST_ROOM),
    [],
  );
  assert.deepEqual(
    lines.filter(({ count }) => count > MOST_LINES_OF_FILE),
    [],
  );
});
