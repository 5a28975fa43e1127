import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import type { Warn } from "../warn.js";
import { CHECKSUM, modelOf } from "./checksum-file.js";
import { homeFolder } from "./home.js";

/**
 * Folder of everything that we derive: `BGE_RERANKER_CACHE`, else the platform's cache folder.
 * @throws {RerankError} `OPTION_INVALID` where there is neither
 */
export function derivedCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.BGE_RERANKER_CACHE) return env.BGE_RERANKER_CACHE;
  if (process.platform === "win32" && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, "bge-reranker", "cache");
  if (process.platform === "darwin") return join(homeFolder(), "Library", "Caches", "bge-reranker");
  return join(env.XDG_CACHE_HOME || join(homeFolder(), ".cache"), "bge-reranker");
}

/** Bytes that the derived cache may hold: `BGE_RERANKER_CACHE_LIMIT` in gigabytes, 20 by default. */
export function derivedCacheLimit(env: NodeJS.ProcessEnv = process.env): number {
  const gigabytes = Number(env.BGE_RERANKER_CACHE_LIMIT || 20);
  return (gigabytes >= 0 ? gigabytes : 20) * 1e9;
}

const TEMPORARY = ".tmp";

/** A process that was killed leaves its temporary folder behind; one without a change for so long is taken for such. */
const ABANDONED_MS = 3_600_000;

/** What was used more recently is part of a load that may still be under way, here or in another process. */
const IN_USE_MS = 600_000;

/** A folder for files that are being written; sweeps away those that others have left behind. */
export function temporaryFolder(): string {
  const folder = join(derivedCacheDir(), `${process.pid}-${randomUUID()}${TEMPORARY}`);
  mkdirSync(folder, { recursive: true });
  const before = Date.now() - ABANDONED_MS;
  clearDerived(listDerived().filter(({ name, lastUsed }) => name.endsWith(TEMPORARY) && lastUsed.getTime() < before));
  return folder;
}

/** A file, or a temporary folder, of the derived cache. */
export interface DerivedEntry {
  name: string;
  /** The model that it was made for, where that is known. */
  model: string | undefined;
  /** bytes */
  size: number;
  lastUsed: Date;
}

/** What the derived cache holds, least recently used first. */
export function listDerived(): DerivedEntry[] {
  const folder = derivedCacheDir();
  const names = new Set(namesIn(folder));
  const entries = [...names].flatMap((name): DerivedEntry[] => {
    if (name.endsWith(CHECKSUM)) return [];
    const path = join(folder, name);
    const own = look(path);
    if (!own) return [];
    const inside = own.isDirectory() ? namesIn(path).flatMap((file) => look(join(path, file)) ?? []) : [own];
    const used = (names.has(name + CHECKSUM) && look(path + CHECKSUM)) || own;
    return [
      {
        name,
        model: modelOf(path),
        size: inside.reduce((sum, { size }) => sum + size, 0),
        lastUsed: new Date(Math.max(used.mtimeMs, ...(own.isDirectory() ? inside.map(({ mtimeMs }) => mtimeMs) : []))),
      },
    ];
  });
  return entries.sort((a, b) => a.lastUsed.getTime() - b.lastUsed.getTime());
}

/** Removes entries of the derived cache. Processes that have a file open keep it. Default: all of them. */
export function clearDerived(entries: readonly DerivedEntry[] = listDerived()): void {
  for (const { name } of entries) {
    const path = join(derivedCacheDir(), name);
    rmSync(path + CHECKSUM, { force: true });
    rmSync(path, { recursive: true, force: true });
  }
}

/**
 * Removes what was not used for longest until the rest fits; never what a load may be using.
 * @param warn told where that does not suffice
 */
export function enforceLimit(warn: Warn): void {
  const entries = listDerived();
  const limit = derivedCacheLimit();
  let total = entries.reduce((sum, { size }) => sum + size, 0);
  for (const entry of entries) {
    if (total <= limit) return;
    if (entry.lastUsed.getTime() > Date.now() - IN_USE_MS) break;
    try {
      clearDerived([entry]);
      total -= entry.size;
    } catch {
      // Windows keeps files that are mapped somewhere.
    }
  }
  if (total <= limit) return;
  warn(
    `${derivedCacheDir()} holds more than BGE_RERANKER_CACHE_LIMIT allows (${limit / 1e9} GB): the models that were loaded last need more. Raise the limit, or the files are removed, and made again, whenever another model is loaded.`,
  );
}

function look(path: string): Stats | undefined {
  // Somebody may have removed it meanwhile.
  return statSync(path, { throwIfNoEntry: false });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
