import { createHash, randomBytes } from "node:crypto";
import { readlinkSync } from "node:fs";
import { readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { checkNotAborted, pause } from "../../http/retry.js";

/*
 * A download that is under way lies at `<target>.<host>-<pid>-<random>.incomplete`: the name says who writes it, so the
 * file is data and lock in one. Others wait while its owner lives and take it over, by renaming it, when the owner died.
 * Python's huggingface_hub also writes to a unique name and renames it, with a lock (flock, which Node lacks) only to
 * spare a second download: https://github.com/huggingface/huggingface_hub/pull/4306. Its files are never touched; when
 * both download at once, each ends with an atomic rename of the same content.
 *
 * Safety does not hang on who counts as dead. All writers of a target write the same bytes at the same offsets, nobody
 * truncates, and content is verified before it gets the target's name. An owner wrongly taken for dead finds its file
 * gone and starts over.
 */

/** Waiting times in milliseconds; one object, so that tests can shorten them. */
export const partialTiming = {
  /** How often an owner shows that it lives. */
  heartbeat: 2_000,
  /** A file that does not change for this long while somebody watches it has lost its owner. */
  stale: 15_000,
  poll: 100,
};

/** A partial file that is ours until `release`. */
export interface PartialFile {
  path: string;
  /** Leaves the file for whoever resumes it, this process or another; an empty one is removed. */
  release(): Promise<void>;
}

interface Found {
  path: string;
  size: number;
}

/**
 * Gets hold of the partial file for `target`: a new one, or the largest one left behind. Waits while another download
 * of the same target lives. `undefined` when `isDone` turned true meanwhile.
 * @param onWait called with the size that the other download has reached
 */
export async function claimPartialFile(
  target: string,
  isDone: () => Promise<boolean>,
  waiter: { signal: AbortSignal | undefined; onWait: (size: number) => void },
): Promise<PartialFile | undefined> {
  const path = `${target}.${host}-${process.pid}-${randomBytes(4).toString("hex")}.incomplete`;
  const watched: Watched = new Map();
  for (;;) {
    checkNotAborted(waiter.signal);
    if (await isDone()) return undefined;
    const { live, abandoned } = await survey(target, path, watched);
    if (live) {
      waiter.onWait(live.size);
      await pause(partialTiming.poll, waiter.signal);
      continue;
    }
    await take(abandoned, path);
    // Two that saw nobody may both have got here. Each looks again, and whoever sees the other steps back.
    const rival = (await survey(target, path, watched)).live;
    if (!rival && !(await isDone())) return hold(path, target);
    await letGo(path, target);
    await pause(partialTiming.poll * (0.5 + 2 * Math.random()), waiter.signal);
  }
}

const host = createHash("sha1").update(`${hostname()} ${pidNamespace()}`).digest("hex").slice(0, 8);

/** Containers may share a cache and a host name, but not process ids. */
function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

type Watched = Map<string, { stamp: string; since: number }>;

async function survey(target: string, own: string, watched: Watched): Promise<{ live?: Found; abandoned: Found[] }> {
  const prefix = `${basename(target)}.`;
  const abandoned: Found[] = [];
  let live: Found | undefined;
  for (const name of await readdir(dirname(target))) {
    const owner =
      name.startsWith(prefix) && /^(released|[0-9a-f]{8}-\d+-[0-9a-f]{8})\.incomplete$/.exec(name.slice(prefix.length));
    const path = join(dirname(target), name);
    if (!owner || path === own) continue;
    const found = await stat(path).catch(() => undefined);
    if (!found) continue;
    if (isAlive(owner[1] ?? "", path, `${found.mtimeMs} ${found.size}`, watched)) live = { path, size: found.size };
    else abandoned.push({ path, size: found.size });
  }
  return live ? { live, abandoned } : { abandoned };
}

function isAlive(owner: string, path: string, stamp: string, watched: Watched): boolean {
  const [home, pid] = owner.split("-");
  if (owner === "released" || (home === host && !processExists(Number(pid)))) return false;
  // Own clock only: a file server's may differ.
  const seen = watched.get(path);
  if (seen?.stamp === stamp) return performance.now() - seen.since < partialTiming.stale;
  watched.set(path, { stamp, since: performance.now() });
  return true;
}

function processExists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

async function take(abandoned: Found[], path: string): Promise<void> {
  const [best, ...rest] = abandoned.sort((a, b) => b.size - a.size);
  for (const { path: other } of rest) await rm(other, { force: true });
  if (best) {
    const taken = await rename(best.path, path).then(
      () => true,
      () => false, // somebody was faster
    );
    if (taken) return await touch(path);
  }
  await writeFile(path, "", { flag: "wx" });
}

function hold(path: string, target: string): PartialFile {
  const heartbeat = setInterval(() => void touch(path).catch(() => {}), partialTiming.heartbeat).unref();
  return {
    path,
    release: async () => {
      clearInterval(heartbeat);
      await letGo(path, target);
    },
  };
}

async function letGo(path: string, target: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.size === 0) await rm(path, { force: true });
  else if (found) await rename(path, `${target}.released.incomplete`).catch(() => {});
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}
