import { closeSync, openSync, rmSync, utimesSync, writeSync } from "node:fs";
import { join } from "node:path";
import { RerankError } from "../errors.js";
import type { Warn } from "../warn.js";
import { CHECKSUM, isIntact, publish } from "./checksum-file.js";
import { derivedCacheDir, enforceLimit, temporaryFolder } from "./folder.js";

/** A file of our cache: its name, which says what its content is made from, and the model that it is made for. */
export interface DerivedFile {
  name: string;
  model: string;
}

/** Bytes made from a model's files: a file of our cache or, where none can be written, memory. */
export type Derived = { path: string } | { data: Uint8Array };

/** Feeds the content, piece by piece, in order. */
export type Producer = (write: (bytes: Uint8Array) => void) => void;

/** {@link findDerived}, else {@link storeDerived}. */
export function derive(file: DerivedFile, size: number, produce: Producer, warn: Warn): Derived {
  return findDerived(file.name) ?? storeDerived(file, size, produce, warn);
}

/**
 * The cached file of that name, unless it is absent or damaged. A file counts as whole when its checksum file says so:
 * with the size and modification time that stand there it is taken at once, otherwise its sha256 is computed.
 */
export function findDerived(name: string): { path: string } | undefined {
  const folder = existingFolder();
  if (folder === undefined) return undefined;
  const path = join(folder, name);
  if (!isIntact(path)) return undefined;
  touch(path + CHECKSUM);
  return { path };
}

/**
 * Makes a file, or the same bytes in memory where the cache cannot be written.
 * @param size of the content in bytes
 * @param warn called with one sentence when the cache cannot be written, or is over its limit
 */
export function storeDerived({ name, model }: DerivedFile, size: number, produce: Producer, warn: Warn): Derived {
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
  try {
    const folder = temporaryFolder();
    try {
      write(folder);
      publish(join(folder, name), join(derivedCacheDir(), name), model);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    enforceLimit(warn);
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
 * @param make writes all of them, by their names, into the folder it is given
 * @returns false when they could not be kept; then nothing is left behind
 */
export async function keepDerived(
  files: readonly DerivedFile[],
  make: (folder: string) => Promise<void>,
  warn: Warn,
): Promise<boolean> {
  let folder: string | undefined;
  try {
    folder = temporaryFolder();
    await make(folder);
    for (const { name, model } of files) publish(join(folder, name), join(derivedCacheDir(), name), model);
    enforceLimit(warn);
    return true;
  } catch (error) {
    warnUnwritable(error, warn);
    return false;
  } finally {
    if (folder) rmSync(folder, { recursive: true, force: true });
  }
}

/** Errors of the file system, and having no place for a cache, become a warning; any other is the producer's own. */
function warnUnwritable(error: unknown, warn: Warn): void {
  const folder = existingFolder();
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (folder !== undefined && syscall === undefined) throw error;
  const problem = folder === undefined ? "There is no folder for a cache" : `${folder} cannot be written (${code})`;
  warn(
    `${problem}, so what is derived from the weights is kept in memory and made again at each start. Set BGE_RERANKER_CACHE to a writable folder.`,
  );
}

/** Where the cache is, if this user can have one. */
function existingFolder(): string | undefined {
  try {
    return derivedCacheDir();
  } catch (error) {
    if (error instanceof RerankError) return undefined;
    throw error;
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
