import { type FileHandle, open } from "node:fs/promises";
import { RerankError, show } from "../../errors.js";

/** A line of a file, and where it stands, so that it can be read again. */
export interface Line {
  text: string;
  /** From 1. */
  number: number;
  place: Place;
}

/** Bytes of a file. */
export interface Place {
  offset: number;
  length: number;
}

/** Called now and then with the bytes that have been read, and the file's size. */
export type OnRead = (done: number, total: number) => void;

const CHUNK = 1 << 20;
const NEWLINE = 0x0a;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The filled lines of a UTF-8 file, a chunk of them at a time: the file never lies in memory.
 * @throws RerankError `INPUT_INVALID` when it cannot be read
 */
export async function* readLines(file: string, onRead?: OnRead): AsyncGenerator<Line> {
  const handle = await openFile(file);
  try {
    const { size } = await handle.stat();
    let rest: Buffer = Buffer.alloc(0);
    let number = 0;
    let offset = 0; // of rest's first byte
    for (let position = 0; position < size || rest.length > 0; ) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, position);
      position += bytesRead;
      const last = bytesRead === 0 || position >= size;
      let bytes =
        rest.length === 0 ? buffer.subarray(0, bytesRead) : Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      for (let end = bytes.indexOf(NEWLINE); ; end = bytes.indexOf(NEWLINE)) {
        if (end === -1 && !(last && bytes.length > 0)) break;
        const length = end === -1 ? bytes.length : end;
        const text = decode(bytes.subarray(0, length), file, ++number);
        if (text.trim() !== "") yield { text, number, place: { offset, length } };
        const step = Math.min(bytes.length, length + 1);
        offset += step;
        bytes = bytes.subarray(step);
      }
      rest = bytes;
      onRead?.(position, size);
      if (last) break;
    }
  } finally {
    await handle.close();
  }
}

/** Parts of a file that is read in any order. */
export class PlacedFile {
  #handle: Promise<FileHandle> | undefined;
  constructor(readonly file: string) {}

  async read({ offset, length }: Place): Promise<string> {
    this.#handle ??= openFile(this.file);
    const { buffer, bytesRead } = await (await this.#handle).read(Buffer.allocUnsafe(length), 0, length, offset);
    if (bytesRead === length) return utf8.decode(buffer);
    throw new RerankError("INPUT_INVALID", `${this.file} has become shorter while it was being read.`);
  }

  async close(): Promise<void> {
    await (await this.#handle)?.close();
    this.#handle = undefined;
  }
}

/** An error about a line of a file, or an item of its list. */
export function badLine(
  file: string,
  { number }: Pick<Line, "number">,
  reason: string,
  cause?: unknown,
  unit = "line",
): RerankError {
  return new RerankError("INPUT_INVALID", `${file}, ${unit} ${number}: ${reason}.`, { cause });
}

/** The object on a line. */
export function parseObject(file: string, line: Line): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch (cause) {
    throw badLine(file, line, `not JSON (${(cause as Error).message}): ${show(line.text)}`, cause);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw badLine(file, line, `expected a JSON object, got ${show(value)}`);
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    const handle = await open(file);
    if (!(await handle.stat()).isDirectory()) return handle;
    await handle.close();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : message;
    throw new RerankError("INPUT_INVALID", `Cannot read ${file}: ${reason}.`, { cause });
  }
  throw new RerankError("INPUT_INVALID", `Cannot read ${file}: it is a folder.`);
}

function decode(bytes: Buffer, file: string, number: number): string {
  const end = bytes.at(-1) === 0x0d ? bytes.length - 1 : bytes.length;
  try {
    return utf8.decode(bytes.subarray(0, end));
  } catch (cause) {
    throw badLine(file, { number }, "not UTF-8 text", cause);
  }
}
