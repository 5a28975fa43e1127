// Where the benchmark's large files are, and how they come to be.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Folder of models, workloads and caches: `BENCH_WORK`, else bge-reranker-bench in the temporary folder. */
export const workFolder = process.env.BENCH_WORK ?? join(tmpdir(), "bge-reranker-bench");

/** A Python that has torch. */
export const python = process.env.BENCH_PYTHON ?? "/usr/bin/python3";

export const fromHere = (...path) => join(import.meta.dirname, ...path);

/** Makes the random model of that shape unless it is there; returns its folder. */
export function ensureModel(shape, ...options) {
  const folder = join(workFolder, [shape, ...options.map((option) => option.replace(/^--/, ""))].join("-"));
  if (existsSync(folder)) return folder;
  process.stderr.write(`Making the ${shape} model in ${folder} ...\n`);
  mkdirSync(workFolder, { recursive: true });
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  execFileSync(python, [fromHere("make_model.py"), unfinished, "--shape", shape, ...options], { stdio: "inherit" });
  renameSync(unfinished, folder);
  return folder;
}
