import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Derived, derive } from "../../src/cache/derived.js";
import { sourceKey } from "../../src/cache/file-identity.js";
import { derivedCacheDir, derivedCacheLimit, listDerived } from "../../src/cache/folder.js";
import { temporaryFolder } from "../support/paths.js";

const CONTENT = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) & 255));

/** Derives `CONTENT` as `name`, counting how often it had to be made. */
class Maker {
  made = 0;
  readonly warnings: string[] = [];

  derive(name = "thing.f32"): Derived {
    const produce = (write: (bytes: Uint8Array) => void) => {
      this.made++;
      for (let at = 0; at < CONTENT.length; at += 30_000) write(CONTENT.subarray(at, at + 30_000));
    };
    return derive({ name, model: "m" }, CONTENT.length, produce, (message) => this.warnings.push(message));
  }

  /** The same, for a cache that works: the path of the file, its content checked. */
  path(name?: string): string {
    const derived = this.derive(name);
    assert.ok("path" in derived, this.warnings.join());
    assert.ok(readFileSync(derived.path).equals(CONTENT), "the content is whole");
    return derived.path;
  }
}

function cacheIn(context: TestContext, folder = temporaryFolder(context)): string {
  process.env.BGE_RERANKER_CACHE = folder;
  return folder;
}

test("it is made once and found again", (t) => {
  const folder = join(cacheIn(t), "made", "on demand");
  cacheIn(t, folder);
  const maker = new Maker();
  const path = maker.path();
  assert.equal(path, join(folder, "thing.f32"));
  assert.equal(maker.path(), path);
  assert.equal(maker.made, 1);
  assert.notEqual(maker.path("other.f32"), path);
  assert.equal(maker.made, 2);
  assert.deepEqual(maker.warnings, []);
});

test("nothing but files and their checksums stays in the cache", (t) => {
  const folder = cacheIn(t);
  new Maker().path();
  assert.deepEqual(readdirSync(folder).sort(), ["thing.f32", "thing.f32.checksum.json"]);
});

/** Ways to spoil a derived file. */
const DAMAGE: Record<string, (path: string) => void> = {
  "cut off": (path) => truncateSync(path, CONTENT.length - 1),
  "cut off, by its time untouched": (path) => {
    truncateSync(path, CONTENT.length - 1);
    const checksum = JSON.parse(readFileSync(`${path}.checksum.json`, "utf8"));
    writeFileSync(`${path}.checksum.json`, JSON.stringify({ ...checksum, mtimeMs: statSync(path).mtimeMs }));
  },
  emptied: (path) => truncateSync(path, 0),
  longer: (path) => writeFileSync(path, Buffer.concat([CONTENT, Buffer.alloc(4)])),
  "a byte changed": (path) => {
    const damaged = Buffer.from(CONTENT);
    damaged[54_321]! ^= 1;
    writeFileSync(path, damaged);
    utimesSync(path, new Date(), new Date(Date.now() + 5000));
  },
  gone: (path) => rmSync(path),
  "checksum gone": (path) => rmSync(`${path}.checksum.json`),
  "checksum emptied": (path) => truncateSync(`${path}.checksum.json`, 0),
  "checksum no JSON": (path) => writeFileSync(`${path}.checksum.json`, "{"),
  "checksum null": (path) => writeFileSync(`${path}.checksum.json`, "null"),
  "checksum of something else": (path) =>
    writeFileSync(`${path}.checksum.json`, JSON.stringify({ size: 1, sha256: "", mtimeMs: 0 })),
};

for (const [name, damage] of Object.entries(DAMAGE)) {
  test(`a damaged file is made again: ${name}`, (t) => {
    cacheIn(t);
    const maker = new Maker();
    damage(maker.path());
    maker.path();
    assert.equal(maker.made, 2);
    maker.path();
    assert.equal(maker.made, 2, "and then found");
  });
}

test("a copied cache, whose times differ, is believed after its checksum", (t) => {
  cacheIn(t);
  const maker = new Maker();
  utimesSync(maker.path(), new Date(), new Date(1e12));
  maker.path();
  assert.equal(maker.made, 1);
});

test("a folder that cannot be written: made in memory each time, with a warning that names remedy and folder", (t) => {
  const file = join(temporaryFolder(t), "a file");
  writeFileSync(file, "");
  cacheIn(t, join(file, "cache"));
  const maker = new Maker();
  const derived = maker.derive();
  assert.ok("data" in derived && Buffer.from(derived.data).equals(CONTENT));
  assert.equal(maker.warnings.length, 1);
  for (const text of [join(file, "cache"), "BGE_RERANKER_CACHE", "memory"])
    assert.ok(maker.warnings[0]!.includes(text));
});

test("a folder where the file should be counts as a cache that cannot be written", (t) => {
  const folder = cacheIn(t);
  mkdirSync(join(folder, "thing.f32", "not empty"), { recursive: true });
  const maker = new Maker();
  assert.ok("data" in maker.derive());
  assert.equal(maker.warnings.length, 1);
  assert.deepEqual(readdirSync(folder), ["thing.f32"], "the temporary file is gone");
});

test("an error of the content's maker comes through and leaves nothing behind", (t) => {
  const folder = cacheIn(t);
  const failing = (write: (bytes: Uint8Array) => void) => {
    write(CONTENT);
    throw new Error("no more");
  };
  assert.throws(() => derive({ name: "thing.f32", model: "m" }, CONTENT.length, failing, () => {}), /no more/);
  assert.deepEqual(readdirSync(folder), []);
  new Maker().path();
});

test("several processes at once get the same whole file", async (t) => {
  const folder = cacheIn(t);
  const script = `
    import { readFileSync } from "node:fs";
    import { derive } from ${JSON.stringify(new URL("../../src/cache/derived.js", import.meta.url).href)};
    for (let i = 0; i < 20; i++) {
      const { path } = derive({ name: "shared-" + i, model: "m" }, 80000, (write) => { for (let k = 0; k < 20; k++) write(Buffer.alloc(4000, k)); }, console.error);
      const content = readFileSync(path);
      if (content.length !== 80000 || content.some((byte, at) => byte !== Math.floor(at / 4000))) throw new Error("torn " + i);
    }`;
  const runs = Array.from({ length: 4 }, async () => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let errors = "";
    child.stderr.on("data", (data) => (errors += data));
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(code, 0, errors);
    assert.equal(errors, "");
  });
  await Promise.all(runs);
  assert.equal(readdirSync(folder).length, 40, "20 files and 20 checksums");
});

test("a source's key changes with path, size and time of its files, and with what is made of them", (t) => {
  const folder = temporaryFolder(t);
  const paths = [join(folder, "a"), join(folder, "b")];
  for (const path of paths) writeFileSync(path, "weights");
  const keys = new Set([sourceKey(paths, "f32", 1), sourceKey(paths, "f32", 2), sourceKey(paths, "i8", 1)]);
  keys.add(sourceKey([paths[0]!], "f32", 1));
  keys.add(sourceKey(paths.toReversed(), "f32", 1));
  writeFileSync(paths[0]!, "weights!");
  keys.add(sourceKey(paths, "f32", 1));
  utimesSync(paths[0]!, new Date(), new Date(statSync(paths[0]!).mtimeMs + 1000));
  keys.add(sourceKey(paths, "f32", 1));
  assert.equal(keys.size, 7);
  assert.equal(sourceKey(paths, "f32", 1), sourceKey([...paths], "f32", 1));
});

test("the folder: BGE_RERANKER_CACHE, else the platform's", { skip: process.platform !== "linux" }, () => {
  assert.equal(derivedCacheDir({ BGE_RERANKER_CACHE: "/x", XDG_CACHE_HOME: "/y" }), "/x");
  assert.equal(derivedCacheDir({ XDG_CACHE_HOME: "/y" }), "/y/bge-reranker");
  for (const env of [{}, { BGE_RERANKER_CACHE: "", XDG_CACHE_HOME: "" }]) {
    assert.equal(derivedCacheDir(env), join(homedir(), ".cache", "bge-reranker"));
  }
});

test("the cache stays within its limit: what was not used for longest goes first", (t) => {
  cacheIn(t);
  process.env.BGE_RERANKER_CACHE_LIMIT = String((CONTENT.length * 2.5) / 1e9);
  t.after(() => delete process.env.BGE_RERANKER_CACHE_LIMIT);
  const maker = new Maker();
  const old = (name: string, minutes: number) => {
    const then = new Date(Date.now() - minutes * 60_000);
    utimesSync(`${maker.path(name)}.checksum.json`, then, then);
  };
  old("first", 30);
  old("second", 20);
  maker.path("first"); // used again, so that "second" is the oldest now
  maker.path("third");
  const left = listDerived().map(({ name }) => name);
  assert.deepEqual(left.sort(), ["first", "third"]);
  assert.equal(maker.made, 3);
  maker.path("second");
  assert.equal(maker.made, 4, "what was removed is made again");
});

test("a limit below what is being loaded is a warning: nothing that was used just now goes", (t) => {
  cacheIn(t);
  process.env.BGE_RERANKER_CACHE_LIMIT = String(1 / 1e9);
  t.after(() => delete process.env.BGE_RERANKER_CACHE_LIMIT);
  const maker = new Maker();
  for (const name of ["first", "second", "first"]) maker.path(name);
  assert.equal(maker.made, 2);
  assert.equal(new Set(maker.warnings).size, 1);
  assert.match(maker.warnings[0]!, /BGE_RERANKER_CACHE_LIMIT/);
});

test("what a killed process left behind is swept away, what another is writing stays", async (t) => {
  const folder = cacheIn(t);
  const script = `
    import { keepDerived } from ${JSON.stringify(new URL("../../src/cache/derived.js", import.meta.url).href)};
    import { writeFileSync } from "node:fs";
    await keepDerived([], async (folder) => {
      writeFileSync(folder + "/half", Buffer.alloc(1000));
      process.kill(process.pid, "SIGKILL");
    }, console.error);`;
  for (const _ of [1, 2]) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
    await new Promise((resolve) => child.on("close", resolve));
  }
  const [left = "", other = ""] = readdirSync(folder);
  assert.ok(left.endsWith(".tmp") && other.endsWith(".tmp"));
  const then = new Date(Date.now() - 2 * 3_600_000);
  for (const path of [join(left, "half"), left]) utimesSync(join(folder, path), then, then);
  new Maker().path();
  assert.deepEqual(readdirSync(folder).sort(), [other, "thing.f32", "thing.f32.checksum.json"].sort());
});

test("a file knows the model that it was made for", (t) => {
  cacheIn(t);
  new Maker().path();
  assert.deepEqual(
    listDerived().map(({ name, model, size }) => [name, model, size]),
    [["thing.f32", "m", CONTENT.length]],
  );
});

test("a user without a home folder: made in memory, with a warning", { skip: process.getuid?.() !== 0 }, async (t) => {
  const script = `
    import { derive } from ${JSON.stringify(new URL("../../src/cache/derived.js", import.meta.url).href)};
    import { resolveModel } from ${JSON.stringify(new URL("../../src/engine/resolve-model.js", import.meta.url).href)};
    process.setuid(54321);
    const derived = derive({ name: "x", model: "m" }, 1, (write) => write(Uint8Array.of(7)), console.log);
    console.log(derived.data[0]);
    await resolveModel("owner/name").catch((error) => console.log(error.code, error.message));`;
  const env = { PATH: process.env.PATH };
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { env, cwd: temporaryFolder(t) });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += data));
  await new Promise((resolve) => child.on("close", resolve));
  assert.match(said, /^There is no folder for a cache.*BGE_RERANKER_CACHE.*\n7\nOPTION_INVALID .*HOME/);
});

test("a limit that makes no sense is the default one", () => {
  assert.equal(derivedCacheLimit({ BGE_RERANKER_CACHE_LIMIT: "much" }), 20e9);
  assert.equal(derivedCacheLimit({ BGE_RERANKER_CACHE_LIMIT: "1.5" }), 1.5e9);
});
