import { show } from "../../errors.js";
import type { RankedDocument, Reranker } from "../../types.js";
import { isFiniteNumber, isOneOf, isPositiveInteger, isText } from "../../validate.js";
import { defineCommand, UsageError } from "../command.js";
import { type Format, type InputDocument, readDocuments } from "../documents.js";
import { type Io, paint, terminalWidth } from "../io.js";
import { deviceOptions, fileOptions, lengthOptions, toRerankerOptions } from "../options.js";
import type { Progress } from "../progress.js";
import { displayWidth, fit, oneLine, pad } from "../text.js";
import { withRemoteReranker, withReranker } from "../with-reranker.js";

const localOptions = { ...deviceOptions, ...lengthOptions, ...fileOptions };

export const rankCommand = defineCommand({
  name: "rank",
  summary: "Rank passages by their relevance to a query, best first.",
  positionals: [{ name: "FILE", required: false, help: "Passages, one a line. Standard input when absent or -." }],
  options: {
    query: { kind: "text", short: "q", value: "Q", check: isText, help: "The question or search. Required." },
    "top-n": { kind: "number", short: "n", value: "N", check: isPositiveInteger, help: "Print the N best only." },
    threshold: { kind: "number", value: "X", check: isFiniteNumber, help: "Print scores of X and above only." },
    raw: { kind: "flag", help: "Scores as raw logits instead of numbers between 0 and 1." },
    json: { kind: "flag", help: "Print a JSON object a line: rank, index, line, score, document." },
    format: {
      kind: "text",
      value: "F",
      check: isOneOf("text", "jsonl"),
      help: "How FILE is written: text or jsonl. Default: by its name, see below.",
    },
    model: {
      kind: "text",
      short: "m",
      value: "M",
      check: isText,
      help: 'Hub id, folder, or mini (small, inside this package). Default "BAAI/bge-reranker-base".',
    },
    url: {
      kind: "text",
      value: "URL",
      check: isText,
      help: "Have an inference engine score them: TEI, vLLM, Infinity, or a hosted API. BGE_RERANKER_API_KEY holds its key.",
    },
    ...localOptions,
  },
  details: `FILE holds a passage on each line, or on each line a JSON object with the passage in "text", optionally "id", and
whatever else (it is kept in --json). Files named .jsonl or .ndjson are read as JSON, .txt as text, anything else as JSON
when its first line begins with "{". Empty lines are skipped. Nothing is ranked when a line cannot be read.

On a terminal a passage is cut to one line; elsewhere the columns rank, score, id and text are separated by tabs, the id
of a passage without one being its line number.

With --url the model runs elsewhere: --model is a name to send, and the options of a local model do not go with it.

  bge-reranker rank -q "How tall is Everest?" -m mini passages.txt
  grep -rh panda notes/ | bge-reranker rank -q "what do pandas eat?" -n 5`,
  async run({ values, positionals: [file = "-"] }, io) {
    const { query, "top-n": topN, threshold: scoreThreshold, raw = false } = values;
    if (query === undefined) throw new UsageError("rank needs --query");
    const [local] = Object.keys(localOptions).filter((name) => values[name as keyof typeof values] !== undefined);
    if (values.url !== undefined && local) throw new UsageError(`--${local} does not go with --url`);
    if (file === "-" && io.stdin.isTTY) throw new UsageError("rank needs FILE, or passages on standard input");
    const documents = await readDocuments(file, values.format as Format | undefined, io);
    if (documents.length === 0) {
      io.stderr.write("bge-reranker: no passages to rank\n");
      return 0;
    }
    const rank = (reranker: Reranker, { scoring: onProgress }: Progress) =>
      reranker.rank(query, documents, { topN, scoreThreshold, normalize: !raw, signal: io.signal, onProgress });
    const ranked =
      values.url === undefined
        ? await withReranker(io, values.model, toRerankerOptions(values), rank)
        : await withRemoteReranker(io, values.url, values.model, rank);
    const lines = values.json
      ? ranked.map(jsonLine)
      : io.stdout.isTTY
        ? terminalLines(ranked, io)
        : ranked.map(tabLine);
    for (const line of lines) io.stdout.write(`${line}\n`);
    return 0;
  },
});

type Ranked = RankedDocument<InputDocument>;

function jsonLine({ index, score, document, span }: Ranked, place: number): string {
  const { line, given } = document;
  return JSON.stringify({ rank: place + 1, index, line, score, ...(span && { span }), document: given });
}

function tabLine({ score, document }: Ranked, place: number): string {
  return [place + 1, score, idOf(document), oneLine(document.text)].join("\t");
}

function terminalLines(ranked: readonly Ranked[], io: Io): string[] {
  const { bold, cyan, dim } = paint(io.stdout, io.env);
  const ids = ranked.map(({ document }) => fit(idOf(document), 24));
  const idWidth = Math.max(...ids.map(displayWidth));
  const rankWidth = String(ranked.length).length;
  const scores = ranked.map(({ score }) => score.toFixed(4));
  const scoreWidth = Math.max(...scores.map((score) => score.length));
  const textWidth = terminalWidth(io.stdout) - rankWidth - scoreWidth - idWidth - 7;
  return ranked.map(({ document }, place) => {
    const rank = bold(String(place + 1).padStart(rankWidth));
    const text = fit(oneLine(document.text), textWidth);
    return `${rank}  ${cyan(scores[place]!.padStart(scoreWidth))}  ${dim(pad(ids[place]!, idWidth))}  ${text}`;
  });
}

function idOf({ given, line }: InputDocument): string {
  if (given.id === undefined) return String(line);
  return oneLine(typeof given.id === "string" || typeof given.id === "number" ? String(given.id) : show(given.id));
}
