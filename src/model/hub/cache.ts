import { randomBytes } from "node:crypto";
import { copyFile, link, mkdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { RerankError } from "../../errors.js";

/*
 * One repository in the cache, laid out as Python's huggingface_hub does, so that both share what either downloads:
 *   models--owner--name/refs/<revision>              the commit that a branch or tag stood at
 *   models--owner--name/blobs/<etag>                 content, once
 *   models--owner--name/snapshots/<commit>/<name>    relative symbolic link into blobs
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */

/** Folder of a model repository inside the cache. */
export function repositoryFolder(cacheDir: string, id: string): string {
  return join(cacheDir, `models--${id.replaceAll("/", "--")}`);
}

export function snapshotFolder(repository: string, commit: string): string {
  return join(repository, "snapshots", commit);
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** The commit that `revision` stood at when it was last fetched. */
export async function readRef(repository: string, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const commit = await readFile(join(repository, "refs", revision), "utf8").catch(() => "");
  return isCommit(commit.trim()) ? commit.trim() : undefined;
}

export async function writeRef(repository: string, revision: string, commit: string): Promise<void> {
  if ((await readRef(repository, revision)) === commit) return;
  await replace(join(repository, "refs", revision), (path) => writeFile(path, commit));
}

export function blobPath(repository: string, etag: string): string {
  return join(repository, "blobs", etag);
}

/** Gives a blob its name in a snapshot, replacing what stood there. Windows often refuses symbolic links. */
export async function linkBlob(blob: string, path: string): Promise<void> {
  const makers = [
    (temporary: string) => symlink(relative(dirname(path), blob), temporary),
    (temporary: string) => link(blob, temporary),
    (temporary: string) => copyFile(blob, temporary),
  ];
  for (const [index, make] of makers.entries()) {
    try {
      return await replace(path, make);
    } catch (error) {
      if (index === makers.length - 1) throw error;
    }
  }
}

/** Whether `path` is a file of `size` bytes, or of any but 0 when that is not known. Follows symbolic links. */
export async function hasSize(path: string, size: number | undefined): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true && (size === undefined ? found.size > 0 : found.size === size);
}

/** Gives an error of the file system a remedy; returns any other error as it is. */
export function storageError(error: unknown, name: string, folder: string): unknown {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (error instanceof RerankError || syscall === undefined) return error;
  return new RerankError(
    "DOWNLOAD_FAILED",
    `${name} could not be written to ${folder} (${code}). Make room there, or name a writable folder in cacheDir or HF_HUB_CACHE.`,
    { cause: error },
  );
}

/** Makes a file under a temporary name and renames it, so that nobody ever sees half of it. */
async function replace(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(4).toString("hex")}`;
  try {
    await make(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
