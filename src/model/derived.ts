import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

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

/** What is written beside a derived file once it is whole. */
interface Seal {
  size: number;
  sha256: string;
  mtimeMs: number;
}

/** {@link findDerived}, else {@link storeDerived}. */
export function derive(name: string, size: number, produce: Producer, warn: (message: string) => void): Derived {
  return findDerived(name) ?? storeDerived(name, size, produce, warn);
}

/**
 * The cached file `name`, unless it is absent or damaged. A file counts as whole when its seal says so: with the sealed
 * size and modification time it is taken at once, otherwise its sha256 is computed.
 */
export function findDerived(name: string): { path: string } | undefined {
  const path = join(derivedCacheDir(), name);
  return isWhole(path) ? { path } : undefined;
}

/**
 * Makes the file `name`, or the same bytes in memory where the cache cannot be written.
 * @param size of the content in bytes
 * @param warn called with one sentence when the cache cannot be written
 */
export function storeDerived(name: string, size: number, produce: Producer, warn: (message: string) => void): Derived {
  const path = join(derivedCacheDir(), name);
  try {
    writeSealed(path, produce);
    return { path };
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    warn(
      `${derivedCacheDir()} cannot be written (${code}), so what is derived from the weights is kept in memory and made again at each start. Set BGE_RERANKER_CACHE to a writable folder.`,
    );
  }
  const data = new Uint8Array(size);
  let end = 0;
  produce((bytes) => {
    data.set(bytes, end);
    end += bytes.length;
  });
  return { data };
}

function isWhole(path: string): boolean {
  try {
    const seal = JSON.parse(readFileSync(sealPath(path), "utf8")) as Seal;
    const { size, mtimeMs } = statSync(path);
    if (size !== seal.size) return false;
    if (mtimeMs === seal.mtimeMs) return true;
    return createHash("sha256").update(readFileSync(path)).digest("hex") === seal.sha256;
  } catch {
    return false;
  }
}

/** Written under a name of its own and renamed, the seal last, so that another process sees all or nothing. */
function writeSealed(path: string, produce: Producer): void {
  mkdirSync(derivedCacheDir(), { recursive: true });
  const temporary = `${path}.${process.pid}.${randomUUID()}.tmp`;
  const hash = createHash("sha256");
  try {
    const fd = openSync(temporary, "wx");
    try {
      produce((bytes) => {
        hash.update(bytes);
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      });
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    const { size, mtimeMs } = statSync(temporary);
    const seal: Seal = { size, sha256: hash.digest("hex"), mtimeMs };
    rmSync(sealPath(path), { force: true });
    renameSync(temporary, path);
    const sealTemporary = `${temporary}.seal`;
    const sealFd = openSync(sealTemporary, "wx");
    writeSync(sealFd, JSON.stringify(seal));
    closeSync(sealFd);
    renameSync(sealTemporary, sealPath(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function sealPath(path: string): string {
  return `${path}.seal.json`;
}
