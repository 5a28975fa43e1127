import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";

/** Suffix of the file that says what its neighbour has to be. */
export const CHECKSUM = ".checksum.json";

interface Checksum {
  size: number;
  sha256: string;
  mtimeMs: number;
  /** The model that it was made for. */
  model: string;
}

/** Moves a finished file to `path`, its checksum file last, so that other processes see all or nothing. */
export function publish(temporary: string, path: string, model: string): void {
  const sha256 = hashFile(temporary, true);
  const { size, mtimeMs } = statSync(temporary);
  const content: Checksum = { size, sha256, mtimeMs, model };
  writeFileSync(temporary + CHECKSUM, JSON.stringify(content));
  rmSync(path + CHECKSUM, { force: true });
  renameSync(temporary, path);
  renameSync(temporary + CHECKSUM, path + CHECKSUM);
}

/** Whether a file is what its checksum file says: by size and modification time, or else by its sha256. */
export function isIntact(path: string): boolean {
  try {
    const content = readChecksum(path);
    const { size, mtimeMs } = statSync(path);
    if (size !== content.size) return false;
    return mtimeMs === content.mtimeMs || hashFile(path, false) === content.sha256;
  } catch {
    return false;
  }
}

/** The model that a file was made for, as far as its checksum file says. */
export function modelOf(path: string): string | undefined {
  try {
    const { model } = readChecksum(path) as { model?: unknown };
    return typeof model === "string" ? model : undefined;
  } catch {
    return undefined;
  }
}

function readChecksum(path: string): Checksum {
  return JSON.parse(readFileSync(path + CHECKSUM, "utf8")) as Checksum;
}

function hashFile(path: string, flush: boolean): string {
  const hash = createHash("sha256");
  const chunk = Buffer.alloc(1 << 20);
  const fd = openSync(path, flush ? "r+" : "r");
  try {
    for (let count = -1; count !== 0; ) {
      count = readSync(fd, chunk);
      hash.update(chunk.subarray(0, count));
    }
    if (flush) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}
