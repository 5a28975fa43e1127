import { createHash } from "node:crypto";
import { type BigIntStats, closeSync, openSync, readSync, statSync } from "node:fs";

/** What tells a file's content from any other that may have stood, or come to stand, under its name. */
export interface FileIdentity {
  path: string;
  /** Device and inode: another number is another file. */
  place: string;
  size: number;
  /** Nanoseconds. A program can set the first, as `cp -p` and `tar` do; the system alone sets the second. */
  modified: string;
  changed: string;
  /** Of some of its bytes. */
  sample: string;
}

/** Looks at a file: one `stat` and a few short reads, however large it is. */
export function identify(path: string): FileIdentity {
  const stats = statSync(path, { bigint: true });
  return { path, ...read(stats), sample: sampleOf(path, Number(stats.size)) };
}

/** Names what is made from files: where they lie, what they are, and whatever else decides its bytes. */
export function sourceKey(files: readonly string[], ...rest: (string | number)[]): string {
  const identities = files.map(identify);
  return createHash("sha256")
    .update(JSON.stringify([identities, rest]))
    .digest("hex")
    .slice(0, 32);
}

/** What has happened to a file since it was identified. One that was replaced goes on as it was for whoever has it open. */
export function compare(before: FileIdentity): "same" | "replaced" | "overwritten" {
  const stats = statSync(before.path, { bigint: true, throwIfNoEntry: false });
  if (!stats) return "replaced";
  const now = read(stats);
  if (now.place !== before.place) return "replaced";
  if (now.size !== before.size || now.modified !== before.modified) return "overwritten";
  // A new link to it or other rights change the time as well.
  if (now.changed !== before.changed && sampleOf(before.path, now.size) !== before.sample) return "overwritten";
  return "same";
}

function read({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): Omit<FileIdentity, "path" | "sample"> {
  return { place: `${dev}:${ino}`, size: Number(size), modified: String(mtimeNs), changed: String(ctimeNs) };
}

const SAMPLES = 16;
const SAMPLE_BYTES = 4096;

/** The first and the last bytes, and some in even steps between them. */
function sampleOf(path: string, size: number): string {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(SAMPLE_BYTES);
  const fd = openSync(path, "r");
  try {
    const last = Math.max(0, size - SAMPLE_BYTES);
    for (let i = 0; i < SAMPLES; i++) {
      const count = readSync(fd, buffer, 0, SAMPLE_BYTES, Math.floor((last * i) / (SAMPLES - 1)));
      hash.update(buffer.subarray(0, count));
      if (last === 0) break;
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}
