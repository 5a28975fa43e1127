import { createHash, randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, utimesSync, writeSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Warn } from "../warn.js";
import { isSealed, SEAL, seal } from "./checksum-file.js";

/** Bytes made from a model's files: a file of our cache or, where none can be written, memory. */
export type Derived = { path: string } | { data: Uint8Array };

/** Feeds the content, piece by piece, in order. */
export type Producer = (write: (bytes: Uint8Array) => void) => void;

/** Folder of everything that we derive: `BGE_RERANKER_CACHE`, else the platform's cache folder. */
export function derivedCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.BGE_RERANKER_CACHE) return env.BGE_RERANKER_CACHE;
  if (process.platform === "win32" && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, "bge-reranker", "cache");
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "bge-reranker");
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "bge-reranker");
}

/** Names what a derived file is made from: paths with size and modification time, plus whatever else decides its bytes. */
export function sourceKey(files: readonly string[], ...rest: (string | number)[]): string {
  const hash = createHash("sha256");
  for (const file of files) {
    const { size, mtimeMs, ino } = statSync(file);
    hash.update(JSON.stringify([file, size, mtimeMs, ino]));
  }
  return hash.update(JSON.stringify(rest)).digest("hex").slice(0, 32);
}

/** {@link findDerived}, else {@link storeDerived}. */
export function derive(name: string, size: number, produce: Producer, warn: Warn): Derived {
  return findDerived(name) ?? storeDerived(name, size, produce, warn);
}

/**
 * The cached file `name`, unless it is absent or damaged. A file counts as whole when its seal says so: with the sealed
 * size and modification time it is taken at once, otherwise its sha256 is computed.
 */
export function findDerived(name: string): { path: string } | undefined {
  const path = join(derivedCacheDir(), name);
  if (!isSealed(path)) return undefined;
  touch(path + SEAL);
  return { path };
}

/**
 * Makes the file `name`, or the same bytes in memory where the cache cannot be written.
 * @param size of the content in bytes
 * @param warn called with one sentence when the cache cannot be written
 */
export function storeDerived(name: string, size: number, produce: Producer, warn: Warn): Derived {
  try {
    const write = (folder: string) => {
      const fd = openSync(join(folder, name), "wx");
      try {
        produce((bytes) => {
          for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
        });
      } finally {
        closeSync(fd);
      }
    };
    const folder = temporaryFolder();
    try {
      write(folder);
      seal(join(folder, name), join(derivedCacheDir(), name));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    enforceLimit(name);
    return { path: join(derivedCacheDir(), name) };
  } catch (error) {
    warnUnwritable(error, warn);
  }
  const data = new Uint8Array(size);
  let end = 0;
  produce((bytes) => {
    data.set(bytes, end);
    end += bytes.length;
  });
  return { data };
}

/**
 * Keeps files that somebody else writes.
 * @param names of the files
 * @param make writes all of them, by these names, into the folder it is given
 * @returns false when they could not be kept; then nothing is left behind
 */
export async function keepDerived(
  names: readonly string[],
  make: (folder: string) => Promise<void>,
  warn: Warn,
): Promise<boolean> {
  let folder: string | undefined;
  try {
    folder = temporaryFolder();
    await make(folder);
    for (const name of names) seal(join(folder, name), join(derivedCacheDir(), name));
    enforceLimit(...names);
    return true;
  } catch (error) {
    warnUnwritable(error, warn);
    return false;
  } finally {
    if (folder) rmSync(folder, { recursive: true, force: true });
  }
}

/** Errors of the file system become a warning; any other is the producer's own. */
function warnUnwritable(error: unknown, warn: Warn): void {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined) throw error;
  warn(
    `${derivedCacheDir()} cannot be written (${code}), so what is derived from the weights is kept in memory and made again at each start. Set BGE_RERANKER_CACHE to a writable folder.`,
  );
}

const TEMPORARY = ".tmp";

/** A folder for files that are being written. One that a killed process left behind is cleared away with the cache. */
function temporaryFolder(): string {
  const folder = join(derivedCacheDir(), `${process.pid}-${randomUUID()}${TEMPORARY}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** A file, or an abandoned temporary folder, of the derived cache. */
export interface DerivedEntry {
  name: string;
  /** bytes */
  size: number;
  lastUsed: Date;
}

/** What the derived cache holds, least recently used first. */
export function listDerived(): DerivedEntry[] {
  const folder = derivedCacheDir();
  const entries = names(folder).flatMap((name): DerivedEntry[] => {
    if (name.endsWith(SEAL)) return [];
    try {
      const path = join(folder, name);
      const own = statSync(path);
      const size = own.isDirectory()
        ? names(path).reduce((sum, file) => sum + statSync(join(path, file)).size, 0)
        : own.size;
      const lastUsed = names(folder).includes(name + SEAL) ? statSync(path + SEAL).mtime : own.mtime;
      return [{ name, size, lastUsed }];
    } catch {
      return []; // removed meanwhile
    }
  });
  return entries.sort((a, b) => a.lastUsed.getTime() - b.lastUsed.getTime());
}

/** Removes entries of the derived cache. Processes that have a file open keep it. Default: all of them. */
export function clearDerived(entries: readonly DerivedEntry[] = listDerived()): void {
  for (const { name } of entries) {
    const path = join(derivedCacheDir(), name);
    rmSync(path + SEAL, { force: true });
    rmSync(path, { recursive: true, force: true });
  }
}

/** Bytes that the derived cache may hold: `BGE_RERANKER_CACHE_LIMIT` in gigabytes, 20 by default. */
export function derivedCacheLimit(env: NodeJS.ProcessEnv = process.env): number {
  const gigabytes = Number(env.BGE_RERANKER_CACHE_LIMIT || 20);
  return (gigabytes >= 0 ? gigabytes : 20) * 1e9;
}

/** Removes what was not used for longest until the rest fits; never what has just been written. */
function enforceLimit(...keep: string[]): void {
  const entries = listDerived();
  let total = entries.reduce((sum, { size }) => sum + size, 0);
  for (const entry of entries) {
    if (total <= derivedCacheLimit()) return;
    if (keep.includes(entry.name)) continue;
    try {
      clearDerived([entry]);
      total -= entry.size;
    } catch {
      // Windows keeps files that are mapped somewhere.
    }
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // a read-only cache still serves
  }
}
