import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it arrived. */
export interface Seen {
  server: "hub" | "cdn";
  method: string;
  /** Path and query. */
  url: string;
  headers: IncomingMessage["headers"];
}

/** Answers a request itself and returns true, or leaves it alone. */
export type Fault = (request: Seen, response: ServerResponse) => boolean;

interface StoredFile {
  content: Buffer;
  /** In LFS: served by the CDN, ETag is the sha256; else by the hub, ETag is the git blob's sha1. */
  lfs: boolean;
  etag: string;
}

/**
 * Behaves like huggingface.co as far as downloading a model goes: the listing of a revision, `resolve` with ETag,
 * X-Repo-Commit and, for files in LFS, a redirect with X-Linked-Etag and X-Linked-Size to a CDN on another origin.
 * https://huggingface.co/docs/hub/api
 */
export class HubServer {
  /** All requests, in order. */
  readonly requests: Seen[] = [];
  /** Tried in order before the normal answer. */
  readonly faults: Fault[] = [];
  /** Whether listings give sizes and checksums, as the hub does and some mirrors do not. */
  listsBlobs = true;
  /** Repositories that need this token. */
  readonly gated = new Map<string, string>();
  readonly #models = new Map<string, { refs: Map<string, string>; commits: Map<string, Map<string, StoredFile>> }>();
  readonly #hub: Server;
  readonly #cdn: Server;

  private constructor() {
    this.#hub = createServer((request, response) => this.#answer("hub", request, response));
    this.#cdn = createServer((request, response) => this.#answer("cdn", request, response));
  }

  static async start(): Promise<HubServer> {
    const hub = new HubServer();
    await listen(hub.#hub);
    await listen(hub.#cdn);
    return hub;
  }

  get endpoint(): string {
    return address(this.#hub);
  }

  async close(): Promise<void> {
    for (const server of [this.#hub, this.#cdn]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  /** Commits files, moves `main` to them and returns the commit. Weights and tokenizer.json are in LFS. */
  addModel(id: string, files: Record<string, string | Uint8Array>): string {
    const stored = new Map<string, StoredFile>();
    for (const [name, content] of Object.entries(files)) {
      const lfs = /safetensors$|onnx|\.bin$|^tokenizer\.json$/.test(name);
      const bytes = Buffer.from(content as Uint8Array);
      stored.set(name, { content: bytes, lfs, etag: lfs ? sha256(bytes) : gitBlobSha1(bytes) });
    }
    const commit = sha1([...stored].map(([name, { etag }]) => `${name} ${etag}`).join("\n"));
    const model = this.#models.get(id) ?? { refs: new Map(), commits: new Map() };
    model.refs.set("main", commit);
    model.commits.set(commit, stored);
    this.#models.set(id, model);
    return commit;
  }

  /** Answers as `fault` says, `times` times, where server and path match. */
  fail(server: Seen["server"], path: RegExp, times: number, fault: (response: ServerResponse, request: Seen) => void) {
    this.faults.push((request, response) => {
      if (request.server !== server || !path.test(request.url) || times-- <= 0) return false;
      fault(response, request);
      return true;
    });
  }

  /** Paths that were asked for, without queries, as `GET hub /path`. */
  log(): string[] {
    return this.requests.map(({ method, server, url }) => `${method} ${server} ${url.split("?")[0]}`);
  }

  #answer(server: Seen["server"], request: IncomingMessage, response: ServerResponse): void {
    const seen = { server, method: request.method ?? "", url: request.url ?? "", headers: request.headers };
    this.requests.push(seen);
    if (this.faults.some((fault) => fault(seen, response))) return;
    const path = decodeURIComponent(seen.url.split("?")[0] ?? "");
    if (server === "cdn") this.#cdnFile(path, seen, response);
    else if (path.startsWith("/api/models/")) this.#listing(path, seen, response);
    else this.#resolve(path, seen, response);
  }

  #listing(path: string, request: Seen, response: ServerResponse): void {
    const [, id = "", revision = ""] = /^\/api\/models\/(.+?)\/revision\/(.+)$/.exec(path) ?? [];
    const found = this.#find(id, revision, request, response);
    if (!found) return;
    const siblings = [...found.files].map(([rfilename, file]) => {
      if (!this.listsBlobs) return { rfilename };
      const pointer = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${file.etag}\n`);
      const size = file.content.length;
      if (!file.lfs) return { rfilename, size, blobId: file.etag };
      const lfs = { sha256: file.etag, size, pointerSize: pointer.length };
      return { rfilename, size, blobId: gitBlobSha1(pointer), lfs };
    });
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ id, sha: found.commit, siblings }));
  }

  #resolve(path: string, request: Seen, response: ServerResponse): void {
    const [, id = "", revision = "", name = ""] = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? [];
    const found = this.#find(id, revision, request, response);
    if (!found) return;
    const file = found.files.get(name);
    response.setHeader("x-repo-commit", found.commit);
    if (!file) {
      refuse(response, 404, "EntryNotFound");
    } else if (file.lfs) {
      response.writeHead(302, {
        "x-linked-etag": `"${file.etag}"`,
        "x-linked-size": file.content.length,
        location: `${address(this.#cdn)}/${id}/${file.etag}?X-Amz-Signature=secret`,
      });
      response.end("Found. Redirecting");
    } else {
      response.setHeader("etag", `"${file.etag}"`);
      send(response, request, file.content);
    }
  }

  #cdnFile(path: string, request: Seen, response: ServerResponse): void {
    const files = [...this.#models.values()].flatMap(({ commits }) =>
      [...commits.values()].flatMap((f) => [...f.values()]),
    );
    const file = files.find(({ etag }) => path.endsWith(etag));
    // A CDN's ETag looks like a sha256 and is not the content's.
    response.setHeader("etag", `"${sha256(path)}"`);
    if (file) send(response, request, file.content);
    else refuse(response, 404, "");
  }

  #find(id: string, revision: string, request: Seen, response: ServerResponse) {
    const token = this.gated.get(id);
    const sent = request.headers.authorization;
    if (token !== undefined && sent !== `Bearer ${token}`) {
      refuse(response, sent ? 403 : 401, "GatedRepo", "Access to this model is restricted.");
      return undefined;
    }
    const model = this.#models.get(id);
    if (!model) {
      refuse(response, sent ? 404 : 401, "RepoNotFound", "Repository not found");
      return undefined;
    }
    const commit = model.refs.get(revision) ?? revision;
    const files = model.commits.get(commit);
    if (!files) refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    return files && { commit, files };
  }
}

/** Sends content, or the range of it that was asked for. */
export function send(response: ServerResponse, request: Seen, content: Buffer): void {
  const { start, headers, status } = rangeOf(request, content);
  response.writeHead(status, headers);
  response.end(request.method === "HEAD" ? undefined : content.subarray(start));
}

/** Promises the whole answer, sends `bytes` of it and cuts the connection, or keeps it open in silence. */
export function sendPart(response: ServerResponse, request: Seen, content: Buffer, bytes: number, cut: boolean): void {
  const { start, headers, status } = rangeOf(request, content);
  response.writeHead(status, headers);
  response.write(content.subarray(start, start + bytes), () => {
    // Not destroyed: a reset may overtake what was sent.
    if (cut) response.socket?.end();
  });
}

function rangeOf(request: Seen, content: Buffer) {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (start > 0 && start >= content.length) {
    return { start: content.length, status: 416, headers: { "content-range": `bytes */${content.length}` } };
  }
  const headers = { "content-length": content.length - start, "accept-ranges": "bytes" };
  if (start === 0) return { start, status: 200, headers };
  const range = `bytes ${start}-${content.length - 1}/${content.length}`;
  return { start, status: 206, headers: { ...headers, "content-range": range } };
}

function refuse(response: ServerResponse, status: number, code: string, message = ""): void {
  response.writeHead(status, { "x-error-code": code, "x-error-message": message });
  response.end(JSON.stringify({ error: message }));
}

export function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** The name that git gives to a file's content. https://git-scm.com/book/en/v2/Git-Internals-Git-Objects */
export function gitBlobSha1(content: Buffer): string {
  return sha1(Buffer.concat([Buffer.from(`blob ${content.length}\0`), content]));
}

function sha1(content: string | Buffer): string {
  return createHash("sha1").update(content).digest("hex");
}

async function listen(server: Server): Promise<void> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
}

function address(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
