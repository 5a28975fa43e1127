import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "./paths.js";

export const run = promisify(execFile);

/** The manifest as it stands in the repository. */
export const manifest = JSON.parse(readFileSync(join(repoRoot, "package.json"), "utf8")) as {
  name: string;
  version: string;
  bin: Record<"bge-reranker", string>;
  dependencies: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  exports: Record<string, unknown>;
};

/** Entry points with code, as a consumer names them: `bge-reranker`, `bge-reranker/langchain`, ... */
export const entryPoints = Object.keys(manifest.exports)
  .filter((key) => key !== "./package.json")
  .map((key) => key.replace(/^\./, manifest.name));

/** What `npm pack` wrote. */
export interface Packed {
  tarball: string;
  /** bytes of the tarball */
  size: number;
  /** paths inside the package */
  files: string[];
}

/** Packs what is built now, without running scripts. */
export async function pack(folder: string): Promise<Packed> {
  const { stdout } = await run(
    "npm",
    ["pack", "--json", "--ignore-scripts", "--offline", "--pack-destination", folder],
    {
      cwd: repoRoot,
      maxBuffer: 2 ** 24,
    },
  );
  const [{ filename, size, files }] = JSON.parse(stdout) as [
    { filename: string; size: number; files: { path: string }[] },
  ];
  return { tarball: join(folder, filename), size, files: files.map(({ path }) => path) };
}

/**
 * A project that has the packed package and its dependencies, and nothing else but what `also` names. The dependencies
 * are links into our own node_modules: what an install would put there, without a registry.
 */
export async function makeConsumer(folder: string, { tarball }: Packed, also: readonly string[]): Promise<string> {
  const modules = join(folder, "node_modules");
  const own = join(modules, manifest.name);
  mkdirSync(own, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", own, "--strip-components=1"]);
  for (const name of [...Object.keys(manifest.dependencies), ...also]) {
    const link = join(modules, name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(repoRoot, "node_modules", name), link, "junction");
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  return folder;
}
