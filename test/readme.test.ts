import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { commands } from "../src/cli/cli.js";
import type { RerankErrorCode } from "../src/errors.js";
import { remoteOptionChecks } from "../src/remote/options.js";
import { rerankerOptionChecks } from "../src/rerankers/option-checks.js";
import { candidates, DEVICES, type DeviceRow, deviceNames } from "../src/runtime/devices.js";
import { rankOptionChecks } from "../src/validate.js";
import { repoRoot } from "./support/paths.js";

const readme = readFileSync(join(repoRoot, "README.md"), "utf8");

/** What the examples take as given. */
const GIVEN = {
  vectorStore: 'declare const vectorStore: import("@langchain/core/vectorstores").VectorStore;',
  documents: 'declare const documents: import("llamaindex").Document[];',
};

test("the README's code compiles as it stands", async (t) => {
  // Inside the package, so that its own name leads to it.
  mkdirSync(join(repoRoot, "dist"), { recursive: true });
  const folder = mkdtempSync(join(repoRoot, "dist", "readme-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const blocks = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!);
  assert.ok(blocks.length >= 6);
  for (const [index, code] of blocks.entries()) {
    const given = Object.entries(GIVEN).filter(
      ([name]) => new RegExp(`\\b${name}\\b`).test(code) && !code.includes(`const ${name} `),
    );
    writeFileSync(join(folder, `block${index}.ts`), `${given.map(([, line]) => line).join("\n")}\n${code}export {};\n`);
  }
  const compilerOptions = {
    ...{ strict: true, target: "es2023", lib: ["es2023", "esnext.disposable"], module: "nodenext", types: ["node"] },
    ...{ noEmit: true, skipLibCheck: true, noUncheckedIndexedAccess: true },
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const tsc = join(repoRoot, "node_modules", "typescript", "bin", "tsc");
  const compiled = promisify(execFile)(process.execPath, [tsc, "-p", folder], { timeout: 120_000 });
  await compiled.catch(({ stdout, message }) => assert.fail(stdout || message));
});

/** Runs a block of the README that is changed as told, and returns what it printed. */
async function runBlock(heading: string, change: (code: string) => string): Promise<string> {
  const code = readme.slice(readme.indexOf(heading)).match(/```ts\n(.*?)```/s)![1]!;
  const file = join(mkdtempSync(join(repoRoot, "dist", "readme-")), "block.mjs");
  try {
    writeFileSync(file, change(code));
    const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, file], { timeout: 120_000 });
    return stdout;
  } finally {
    rmSync(dirname(file), { recursive: true });
  }
}

test("the README's first code gives the right answer, with the embedded model too", async () => {
  const printed = await runBlock("### On its own", (code) => code.replace('"BAAI/bge-reranker-base"', '"mini"'));
  assert.match(printed, /^0\.\d+ 1 Giant pandas eat .*\n0\.\d+ 0 Red pandas .*\n$/);
});

test("the README's LlamaIndex code that is said to run offline does", async () => {
  const printed = await runBlock("this runs offline:", (code) => code);
  assert.match(printed, /^0\.\d+ \S+ Giant pandas eat .*\n$/);
});

test("the README's links within the package lead to files that are in it", () => {
  const { files } = JSON.parse(readFileSync(join(repoRoot, "package.json"), "utf8")) as { files: string[] };
  const targets = [...readme.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)].map(([, target]) => target!);
  assert.ok(targets.includes("LICENSE"));
  for (const target of targets) {
    assert.ok(target === "LICENSE" || files.some((folder) => target.startsWith(`${folder}/`)), target);
    assert.ok(existsSync(join(repoRoot, target)), target);
  }
});

test("the versions of Node.js are those in which require() loads ES modules", () => {
  const { engines } = JSON.parse(readFileSync(join(repoRoot, "package.json"), "utf8"));
  assert.equal(engines.node, "^20.19.0 || >=22.12.0");
  assert.match(readme, /Node\.js 20\.19 or a later 20, or 22\.12 or later/);
});

test("the README names every option, error code and command", () => {
  const codes: Record<RerankErrorCode, true> = {
    MODEL_NOT_FOUND: true,
    MODEL_INVALID: true,
    MODEL_UNSUPPORTED: true,
    DOWNLOAD_FAILED: true,
    DEVICE_UNAVAILABLE: true,
    OUT_OF_MEMORY: true,
    INPUT_INVALID: true,
    OPTION_INVALID: true,
    REMOTE_FAILED: true,
    OVERLOADED: true,
    TIMEOUT: true,
    ABORTED: true,
    DISPOSED: true,
  };
  const rows = readme.split("\n").filter((line) => line.startsWith("| `"));
  const named = new Set(rows.flatMap((row) => row.split("|")[1]!.match(/\w+/g) ?? []));
  for (const name of [
    ...Object.keys(codes),
    ...Object.keys(rerankerOptionChecks),
    ...Object.keys(remoteOptionChecks),
    ...Object.keys(rankOptionChecks),
  ]) {
    assert.ok(named.has(name), name);
  }
  for (const { name } of commands) assert.ok(readme.includes(`npx bge-reranker ${name}`), name);
});

const SESSIONS: Record<DeviceRow["sessions"], string> = {
  cores: "one for each core, at most 4",
  numbers: "one for each GPU",
  one: "one",
};

test("the README's table of devices, and the order of auto, are those of the program", () => {
  const rows = readme.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  for (const name of deviceNames()) {
    const { where, needs, dtypes, sessions } = DEVICES[name];
    const formats = dtypes.map((dtype) => `\`${dtype}\``).join(", ");
    const wanted = ["", `\`${name}\``, where, needs, formats, SESSIONS[sessions], ""];
    assert.ok(
      rows.some((row) => row.join("|") === wanted.join("|")),
      `| ${wanted.slice(1, -1).join(" | ")} |`,
    );
  }
  const order = (platform: NodeJS.Platform, arch: string) =>
    candidates("auto", { platform, arch, noGpu: undefined }).tries.map(({ name }) => name);
  const said = `Linux x64: ${order("linux", "x64").join(", ")}; Windows: ${order("win32", "x64").join(", ")}; macOS arm64: ${order("darwin", "arm64").join(", ")}; elsewhere ${order("linux", "arm64").join(", ")}`;
  const types = readFileSync(join(repoRoot, "src", "types.ts"), "utf8");
  for (const text of [readme, types]) {
    assert.ok(
      text
        .replaceAll("`", "")
        .replace(/[\s*]+/g, " ")
        .includes(said),
      said,
    );
  }
});

test("the README's links and programs lead somewhere", () => {
  const links = [...readme.matchAll(/\]\((?!https:)([^)]+)\)/g)].map(([, target]) => target!);
  const headings = readme
    .split("\n")
    .filter((line) => line.startsWith("#"))
    .map((line) => `#${line.replace(/^#+ /, "").toLowerCase().replaceAll(" ", "-")}`);
  for (const link of links) {
    assert.ok(link.startsWith("#") ? headings.includes(link) : existsSync(join(repoRoot, link)), link);
  }
  const programs = [...readme.matchAll(/dist\/(examples\/[\w-]+)\.js/g)].map(([, program]) => program!);
  assert.ok(programs.length > 0);
  for (const program of programs) assert.ok(existsSync(join(repoRoot, `${program}.ts`)), program);
});

test("ARCHITECTURE.md and CONTRIBUTING.md speak of files that are there", () => {
  for (const document of ["ARCHITECTURE.md", "CONTRIBUTING.md"]) {
    const text = readFileSync(join(repoRoot, document), "utf8");
    const paths = [...text.matchAll(/`((?:[\w.-]+\/)*[\w.-]+(?:\/|\.m?ts))`/g)].map(([, path]) => path!);
    assert.ok(paths.length > 5);
    const folders = ["", "src", "src/adapters", "src/graph/architectures", "test/adapters"];
    const lost = paths.filter((path) => !folders.some((folder) => existsSync(join(repoRoot, folder, path))));
    assert.deepEqual(lost, [], document);
  }
});
