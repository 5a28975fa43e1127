// Builds and runs the tests: npm test -- [FILE or FOLDER...] [flags of node --test], nothing named: all of them.
//   npm test -- test/graph/onnx.test.ts      npm test -- src/graph/onnx.ts      npm test -- test/graph
//   npm test -- --test-name-pattern=mask     npm test -- test/graph --test-only
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const guard = pathToFileURL(join(root, "test", "support", "no-network.mjs")).href;

const args = process.argv.slice(2);
const isPath = (arg) => !arg.startsWith("-") && (/\.[cm]?[jt]s$/.test(arg) || existsSync(arg));
const sources = args.filter(isPath).flatMap(testsFor);
// What is neither is a flag's value: --test-name-pattern mask
const flags = args.filter((arg) => !isPath(arg));
// Node leaves a core idle by default; of two that is half of them.
const defaults = ["--test-reporter=spec", `--test-concurrency=${availableParallelism()}`].filter(
  (flag) => !flags.some((given) => given.startsWith(flag.split("=")[0])),
);

run(join(root, "node_modules", "typescript", "bin", "tsc"));
run(join(root, "report", "build.mjs"));
// From the sources' names: dist may still hold tests that were renamed.
const files = (sources.length > 0 ? [...new Set(sources)] : testsUnder("test")).map(
  (source) => `${join("dist", source).slice(0, -".ts".length)}.js`,
);
run("--import", guard, "--test", ...defaults, ...flags, ...files);

/** The tests of a test file, a source file or a folder of either. */
function testsFor(arg) {
  const path = relative(root, resolve(arg)).replace(/^dist(?=[\\/])/, "");
  const own = join("test", relative(path.startsWith(`src${sep}`) || path === "src" ? "src" : "test", path));
  const file = `${own.replace(/(\.test)?\.[cm]?[jt]s$/, "")}.test.ts`;
  const tests = existsSync(join(root, file)) ? [file] : testsUnder(own);
  if (tests.length > 0) return tests;
  console.error(`There are no tests for ${arg}: neither ${file} nor any below ${own}.`);
  process.exit(1);
}

function testsUnder(folder) {
  const path = join(root, folder);
  if (!existsSync(path) || !statSync(path).isDirectory()) return [];
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".test.ts"))
    .sort()
    .map((name) => join(folder, name));
}

/** Runs node in the repository; ends this process when it fails. */
function run(...argv) {
  const { status, error } = spawnSync(process.execPath, argv, { cwd: root, stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
