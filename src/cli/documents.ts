import { createReadStream } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { RerankError, show } from "../errors.js";
import type { Io } from "./io.js";

/** How passages are written: a line each, or a JSON object with `text` on each line. */
export type Format = "text" | "jsonl";

/** A passage to rank. */
export interface InputDocument {
  text: string;
  /** Line of the file, from 1. */
  line: number;
  /** The object that stood on the line; for a line of text, `{ text }`. */
  given: { readonly text: string; readonly [member: string]: unknown };
}

/**
 * Reads passages, all or none: a line that is not what its file promises is an error.
 * @param file path, or `-` for standard input
 * @param format by default JSON lines for files named `.jsonl` or `.ndjson`, text for `.txt`; else JSON lines when the
 *   first line begins with `{`
 * @throws RerankError `INPUT_INVALID`, with the line's number
 */
export async function readDocuments(file: string, format: Format | undefined, io: Io): Promise<InputDocument[]> {
  const name = file === "-" ? "standard input" : file;
  const text = decode(await read(file, name, io), name);
  const lines = text.split(/\r?\n/).map((content, index) => ({ content, line: index + 1 }));
  const filled = lines.filter(({ content }) => content.trim() !== "");
  if ((format ?? formatOf(file, filled[0]?.content)) === "text") {
    return filled.map(({ content, line }) => ({ text: content, line, given: { text: content } }));
  }
  const remedy = format || isJsonl(file) ? "" : " For lines of plain text, give --format text.";
  return filled.map(({ content, line }) => {
    const given = parse(content, `Line ${line} of ${name}`, remedy);
    return { text: given.text, line, given };
  });
}

const isJsonl = (file: string): boolean => /\.(jsonl|ndjson)$/i.test(file);

function formatOf(file: string, first = ""): Format {
  if (isJsonl(file)) return "jsonl";
  return !/\.txt$/i.test(file) && first.trimStart().startsWith("{") ? "jsonl" : "text";
}

async function read(file: string, name: string, io: Io): Promise<Buffer> {
  const stream: Readable = file === "-" ? io.stdin : createReadStream(file);
  try {
    return await buffer(addAbortSignal(io.signal, stream));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : code;
    throw new RerankError("INPUT_INVALID", `Cannot read ${name}: ${reason ?? (cause as Error).message}.`, { cause });
  }
}

function decode(content: Buffer, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch (cause) {
    throw new RerankError(
      "INPUT_INVALID",
      `${name} is not UTF-8 text. Convert it first, for instance with iconv -t UTF-8.`,
      { cause },
    );
  }
}

function parse(content: string, place: string, remedy: string): InputDocument["given"] {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new RerankError("INPUT_INVALID", `${place} is not JSON: ${show(content)} (${reason}).${remedy}`, { cause });
  }
  if (typeof value === "object" && value !== null && "text" in value && typeof value.text === "string") {
    return value as InputDocument["given"];
  }
  throw new RerankError(
    "INPUT_INVALID",
    `${place} must be an object with a string in "text", got ${show(value)}.${remedy}`,
  );
}
