import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { RerankError } from "../../errors.js";
import { checkNotAborted, Retriable } from "../../http/retry.js";
import type { DownloadProgress } from "../../types.js";
import { hasSize, storageError } from "./cache.js";
import { claimPartialFile } from "./partial-file.js";
import { askHub, type HubConnection, LEAST_PROGRESS, request } from "./request.js";

/** A file as the hub describes it before a byte of it is fetched. */
export interface RemoteFile {
  /** Name inside the repository. */
  name: string;
  url: string;
  /** sha256 of a file in LFS, git blob sha1 of another; a mirror may give something else, which is then not checked. */
  etag: string;
  /** In bytes; `undefined` when the hub does not say. */
  size: number | undefined;
}

/**
 * Downloads `file` to `target`, resuming what an earlier attempt left. `target` appears only whole: verified, synced to
 * disk and renamed. Returns at once when it is there already, and waits for another download of it to finish.
 */
export async function download(
  file: RemoteFile,
  target: string,
  connection: HubConnection,
  onProgress: ((progress: DownloadProgress) => void) | undefined,
): Promise<void> {
  const report = throttled(file, onProgress);
  try {
    await mkdir(dirname(target), { recursive: true });
    for (let damaged = 0; damaged < 2; ) {
      const isDone = () => hasSize(target, file.size);
      const partial = await claimPartialFile(target, isDone, { signal: connection.signal, onWait: report });
      if (!partial) return report(await sizeOf(target), true);
      try {
        const transfer: Transfer = { path: partial.path, version: undefined };
        await askHub(
          connection,
          () => append(file, transfer, connection, report),
          async () => Math.floor((await sizeOf(partial.path)) / LEAST_PROGRESS),
        );
        if (await isIntact(partial.path, file, connection)) {
          report(await sizeOf(partial.path), true);
          await sync(partial.path);
          return await rename(partial.path, target);
        }
        await rm(partial.path);
        damaged++;
      } catch (error) {
        // Our partial file is gone: another download took it over. Wait for that one.
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      } finally {
        await partial.release();
      }
    }
  } catch (error) {
    throw storageError(error, file.name, dirname(target));
  }
  throw new RerankError(
    "DOWNLOAD_FAILED",
    `${file.name} arrived damaged twice: its checksum is not the one that the hub gives (${file.etag}). A proxy or mirror may be altering it: check ${connection.endpoint} (HF_ENDPOINT).`,
  );
}

interface Transfer {
  path: string;
  /** Strong ETag of the answer that the bytes in the file come from; only kept for a file without a checksum. */
  version: string | undefined;
}

/** One attempt: asks for what the file lacks and writes it there. */
async function append(
  file: RemoteFile,
  transfer: Transfer,
  connection: HubConnection,
  report: (loaded: number) => void,
): Promise<void> {
  const { path } = transfer;
  let offset = (await stat(path)).size;
  const start = async () => {
    await startOver(path);
    offset = 0;
  };
  // Nothing else would tell that the content has changed since.
  if (offset > 0 && !hasChecksum(file) && !transfer.version) await start();
  if (offset > 0 && offset === file.size) return;
  const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  if (offset > 0 && transfer.version) headers["if-range"] = transfer.version;
  await request(connection, file.url, { headers }, async (response, chunks) => {
    const version = hasChecksum(file) ? undefined : strongETag(response);
    if (offset > 0 && (!continuesAt(offset, response) || version !== transfer.version)) await start();
    if (response.status !== 200 && !continuesAt(offset, response)) {
      throw new Retriable(`the range ${headers.range} was answered with ${response.status}`);
    }
    transfer.version = version;
    const handle = await open(path, "r+");
    try {
      for await (const chunk of chunks) {
        await writeAt(handle, chunk, offset);
        offset += chunk.length;
        report(offset);
        if (file.size !== undefined && offset > file.size) return; // too long: verification refuses it
      }
    } finally {
      await handle.close();
    }
    if (file.size !== undefined && offset < file.size) {
      throw new Retriable(`${file.name} ended after ${offset} of ${file.size} bytes`);
    }
  });
}

/** The hub's checksums are such; a mirror may give anything else, which then cannot be checked. */
function hasChecksum({ etag }: RemoteFile): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag);
}

/** Equal for equal bytes only, unlike a weak one. https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5 */
function strongETag({ headers }: Response): string | undefined {
  const etag = headers.get("etag");
  return etag?.startsWith('"') ? etag : undefined;
}

function continuesAt(offset: number, response: Response): boolean {
  return response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${offset}-`) === true;
}

/** Puts an empty file in place of the old one. The old one is not truncated: somebody may have taken it over. */
async function startOver(path: string): Promise<void> {
  await writeFile(`${path}.new`, "");
  await rename(`${path}.new`, path);
}

async function writeAt(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
  }
}

/** Reads the file back: what is on the disk counts, not what was received. */
async function isIntact(path: string, file: RemoteFile, connection: HubConnection): Promise<boolean> {
  const { etag, size } = file;
  const actual = await sizeOf(path);
  if (size !== undefined && actual !== size) return false;
  if (!hasChecksum(file)) return true;
  const hash = etag.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${actual}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    checkNotAborted(connection.signal);
    hash.update(chunk);
  }
  return hash.digest("hex") === etag;
}

/** A rename may reach the disk before the content does. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, "r+");
  await handle.sync().finally(() => handle.close());
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size;
}

/** At most ten reports a second, plus the last one. */
function throttled({ name, size }: RemoteFile, onProgress: ((progress: DownloadProgress) => void) | undefined) {
  let next = 0;
  return (loaded: number, last = false): void => {
    if (!last && performance.now() < next) return;
    next = performance.now() + 100;
    onProgress?.({ file: name, loaded, total: last ? loaded : size });
  };
}
