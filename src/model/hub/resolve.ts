import { join } from "node:path";
import { RerankError, show } from "../../errors.js";
import { readText } from "../../http/body.js";
import { redaction } from "../../http/redaction.js";
import { Retriable } from "../../http/retry.js";
import { emitWarning } from "../../warn.js";
import type { ModelFileOptions, ModelFiles } from "../model-files.js";
import { type FileSource, folderSource, type KnownArchitectures, MissingFile, selectFiles } from "../select-files.js";
import {
  blobPath,
  hasSize,
  isCommit,
  linkBlob,
  readRef,
  repositoryFolder,
  snapshotFolder,
  storageError,
  writeRef,
} from "./cache.js";
import { download, type RemoteFile } from "./download.js";
import { hubEnvironment } from "./environment.js";
import { askHub, type HubConnection, HubUnreachable, request } from "./request.js";

/** Whether `model` has the form of a hub id: `owner/name`, or `name` for the oldest models. */
export function isHubId(model: string): boolean {
  // https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/utils/_validators.py
  return /^(\w[\w.-]*\/)?\w[\w.-]{0,95}$/.test(model) && !/--|\.\.|\.git$|[-.](\/|$)/.test(model);
}

/**
 * Files of a hub model: from the cache where they are whole, else downloaded into it. The revision is pinned to the
 * commit that it stands at. When the hub cannot be reached, a complete copy in the cache serves, with a warning.
 */
export async function resolveHubModel(
  id: string,
  options: ModelFileOptions,
  known: KnownArchitectures,
): Promise<ModelFiles> {
  const revision = checkRevision(options.revision ?? "main");
  const hub = await hubEnvironment(options);
  const repository = repositoryFolder(hub.cacheDir, id);
  const cached = await fromCache(id, repository, revision, { known, final: hub.offline });
  if (hub.offline && !("paths" in cached)) throw notCached(id, revision, repository, cached);
  // A commit never changes, so there is nothing to ask the hub.
  if ("paths" in cached && (hub.offline || isCommit(revision))) return cached;

  const { endpoint, token } = hub;
  const connection: HubConnection = { endpoint, token, signal: options.signal, attempts: 5, id, revision };
  try {
    const listing = await fetchListing({ ...connection, attempts: "paths" in cached ? 2 : 5 });
    const found = await selectFiles(hubSource(listing, repository, connection, options.onProgress), known);
    // Last, so that a ref never names a snapshot that is not whole. A cache that cannot be written lacks it: only
    // offline use needs it, and that says so.
    await writeRef(repository, revision, listing.commit).catch(() => {});
    return { model: id, revision: listing.commit, ...found };
  } catch (error) {
    return withoutHub(redaction([token]).clean(error), cached, repository);
  }
}

/** Serves from the cache when the hub gave no answer; when it refused, says that a copy is there. */
function withoutHub(error: unknown, cached: ModelFiles | Incomplete, repository: string): ModelFiles {
  if (!(error instanceof RerankError) || error.code === "ABORTED") throw error;
  const copy = "paths" in cached ? `commit ${cached.revision}` : undefined;
  if (error instanceof HubUnreachable && "paths" in cached) {
    emitWarning(`${error.message} Using the copy in the cache (${copy}).`);
    return cached;
  }
  const { code, message } = error;
  if (code !== "DOWNLOAD_FAILED" && code !== "MODEL_NOT_FOUND") throw error;
  const hint = copy
    ? `The cache holds a copy (${copy}): use it with localFilesOnly or HF_HUB_OFFLINE=1.`
    : `The cache holds no complete copy (looked in ${repository}: ${"lacks" in cached ? cached.lacks : ""}).`;
  throw new RerankError(code, `${message} ${hint}`, { cause: error.cause });
}

interface Incomplete {
  lacks: string;
  cause?: unknown;
}

async function fromCache(
  id: string,
  repository: string,
  revision: string,
  { known, final }: { known: KnownArchitectures; final: boolean },
): Promise<ModelFiles | Incomplete> {
  const commit = await readRef(repository, revision);
  if (!commit) return { lacks: `no refs/${revision}` };
  const folder = snapshotFolder(repository, commit);
  try {
    return { model: id, revision: commit, ...(await selectFiles(await folderSource(folder), known)) };
  } catch (cause) {
    if (cause instanceof MissingFile) return { lacks: cause.message, cause };
    if (cause instanceof RerankError && final) throw cause;
    return { lacks: `no snapshots/${commit}`, cause };
  }
}

function notCached(id: string, revision: string, repository: string, { lacks, cause }: Incomplete): RerankError {
  return new RerankError(
    "MODEL_NOT_FOUND",
    `"${id}" at revision "${revision}" is not complete in the cache (looked in ${repository}: ${lacks}), and no connection may be opened (localFilesOnly or HF_HUB_OFFLINE). Run "bge-reranker download ${id}" with a connection first, or allow one.`,
    { cause },
  );
}

/** What a repository holds at one commit. */
interface Listing {
  commit: string;
  files: Map<string, { etag: string | undefined; size: number | undefined }>;
}

/** In bytes: room for some ten thousand files. */
const LONGEST_LISTING = 4 * 2 ** 20;

async function fetchListing(connection: HubConnection): Promise<Listing> {
  const { endpoint, id, revision } = connection;
  // blobs=true adds sizes and checksums. https://huggingface.co/docs/hub/api
  const url = `${endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
  return await askHub(connection, () =>
    request(connection, url, {}, async (_response, chunks) => {
      const { text, whole } = await readText(chunks, LONGEST_LISTING);
      if (!whole) {
        const message = `${endpoint} lists more than ${LONGEST_LISTING} bytes of files for "${id}"; no reranker has so many.`;
        throw new RerankError("DOWNLOAD_FAILED", message);
      }
      const listing = parseListing(text);
      // A login page of a hotel's network, for instance.
      if (!listing) throw new Retriable(`${endpoint} did not answer as a model hub does`);
      return listing;
    }),
  );
}

type LfsPointer = { sha256?: unknown; size?: unknown } | null;

function parseListing(text: string): Listing | undefined {
  let answer: { sha?: unknown; siblings?: unknown };
  try {
    answer = JSON.parse(text) ?? {};
  } catch {
    return undefined;
  }
  const { sha, siblings } = answer;
  if (typeof sha !== "string" || !isCommit(sha) || !Array.isArray(siblings)) return undefined;
  const files: Listing["files"] = new Map();
  for (const sibling of siblings) {
    const { rfilename, size, blobId, lfs } = (sibling ?? {}) as Record<string, unknown> & { lfs?: LfsPointer };
    if (typeof rfilename !== "string") return undefined;
    const etag = lfs ? lfs.sha256 : blobId;
    const bytes = lfs?.size ?? size;
    files.set(rfilename, {
      etag: typeof etag === "string" ? normalETag(etag) : undefined,
      size: typeof bytes === "number" ? bytes : undefined,
    });
  }
  return { commit: sha, files };
}

function hubSource(
  { commit, files }: Listing,
  repository: string,
  connection: HubConnection,
  onProgress: ModelFileOptions["onProgress"],
): FileSource {
  const get = async (name: string) => {
    const path = join(snapshotFolder(repository, commit), ...name.split("/"));
    const remote = await describe(name, commit, files.get(name), connection);
    if (await hasSize(path, remote.size)) return path;
    const blob = blobPath(repository, remote.etag);
    if (!(await hasSize(blob, remote.size))) await download(remote, blob, connection, onProgress);
    await linkBlob(blob, path).catch((error) => {
      throw storageError(error, name, snapshotFolder(repository, commit));
    });
    return path;
  };
  return { where: `"${connection.id}"`, names: new Set(files.keys()), get };
}

/** The listing knows size and checksum; a mirror's may not, then the file's own headers do. */
async function describe(
  name: string,
  commit: string,
  listed: { etag: string | undefined; size: number | undefined } | undefined,
  connection: HubConnection,
): Promise<RemoteFile> {
  const encoded = name.split("/").map(encodeURIComponent).join("/");
  const url = `${connection.endpoint}/${connection.id}/resolve/${commit}/${encoded}`;
  const { etag, size } =
    listed?.etag !== undefined && listed.size !== undefined
      ? listed
      : await askHub(connection, () => fetchHeaders(url, connection));
  // It becomes a file name.
  if (etag === undefined || !/^[\w-][\w.-]*$/.test(etag)) {
    throw new RerankError(
      "DOWNLOAD_FAILED",
      `${connection.endpoint} gives no usable ETag for ${name} (${show(etag)}), so it could not be checked. Name another hub in HF_ENDPOINT.`,
    );
  }
  return { name, url, etag, size };
}

/** For files in LFS the hub's redirect names size and sha256; the ETag of the CDN behind it is something else. */
async function fetchHeaders(url: string, connection: HubConnection) {
  const stopAt = (redirect: Response) => redirect.headers.has("x-linked-etag");
  return await request(connection, url, { method: "HEAD", stopAt }, async ({ headers, ok }, _chunks, trusted) => {
    const isHub = trusted || headers.has("x-repo-commit");
    const etag = headers.get("x-linked-etag") ?? (isHub ? headers.get("etag") : null);
    const size = headers.get("x-linked-size") ?? (ok ? headers.get("content-length") : null);
    const bytes = size !== null && /^\d+$/.test(size) ? Number(size) : undefined;
    return { etag: etag === null ? undefined : normalETag(etag), size: bytes };
  });
}

/** Checksums are written in lower case: in the cache, and where they are compared. */
function normalETag(etag: string): string {
  const bare = etag.replace(/^W\//, "").replaceAll('"', "");
  return /^[\da-f]+$/i.test(bare) ? bare.toLowerCase() : bare;
}

function checkRevision(revision: string): string {
  // What git allows, of which it becomes a file: https://git-scm.com/docs/git-check-ref-format
  const name = /^(?!\.)[^\\/\s~^:?*[\p{Cc}]+(\/(?!\.)[^\\/\s~^:?*[\p{Cc}]+)*$/u;
  if (typeof revision === "string" && name.test(revision) && !revision.includes("..")) return revision;
  throw new RerankError("OPTION_INVALID", `revision is ${show(revision)}; a branch, tag or commit is needed.`);
}
