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
export const SEAL = ".seal.json";

interface Seal {
  size: number;
  sha256: string;
  mtimeMs: number;
}

/** Moves a finished file to `path`, its seal last, so that other processes see all or nothing. */
export function seal(temporary: string, path: string): void {
  const sha256 = hashFile(temporary, true);
  const { size, mtimeMs } = statSync(temporary);
  const content: Seal = { size, sha256, mtimeMs };
  writeFileSync(temporary + SEAL, JSON.stringify(content));
  rmSync(path + SEAL, { force: true });
  renameSync(temporary, path);
  renameSync(temporary + SEAL, path + SEAL);
}

/** Whether a file is what its seal says: by size and modification time, or else by its sha256. */
export function isSealed(path: string): boolean {
  try {
    const content = JSON.parse(readFileSync(path + SEAL, "utf8")) as Seal;
    const { size, mtimeMs } = statSync(path);
    if (size !== content.size) return false;
    return mtimeMs === content.mtimeMs || hashFile(path, false) === content.sha256;
  } catch {
    return false;
  }
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
