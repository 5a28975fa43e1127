import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, it } from "node:test";
import { promisify } from "node:util";
import { type OwnFile, ownFile } from "../src/own-files.js";
import { repoRoot, temporaryFolder } from "./support/paths.js";

const names: readonly OwnFile[] = ["engineWorker", "engineProcess", "sessionWorker", "mini", "report", "manifest"];
const built = join(repoRoot, "dist", "src");
const folder = temporaryFolder({ after });

it("finds the package's own files beside the code", () => {
  for (const name of names) assert.ok(existsSync(ownFile(name)), name);
  assert.equal(ownFile("mini"), join(repoRoot, "models", "mini"));
});

it("gives bundlers no path to follow: a static URL is an asset to them, and native code cannot be bundled", () => {
  const offenders = readdirSync(built, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js"))
    .filter((name) => {
      const code = readFileSync(join(built, name), "utf8").replaceAll(/\/\*\*.*?\*\/|^\s*\/\/.*$/gms, "");
      return /new URL\([^)]*import\.meta\.url\)|import\("onnxruntime-node"\)|from "onnxruntime-node"/.test(code);
    });
  assert.deepEqual(offenders, []);
});

/** What code that was bundled into `bundle` finds: the path, or `code: message`. */
async function fromBundle(bundle: string, name: OwnFile, importMeta = "import.meta.url"): Promise<string> {
  mkdirSync(bundle, { recursive: true });
  const code = readFileSync(join(built, "own-files.js"), "utf8").replaceAll("import.meta.url", importMeta);
  writeFileSync(join(bundle, "own-files.js"), code);
  copyFileSync(join(built, "errors.js"), join(bundle, "errors.js"));
  writeFileSync(join(bundle, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(bundle, "main.js"),
    `import { ownFile } from "./own-files.js";
     try { console.log(ownFile(process.argv[2])); } catch (error) { console.log(error.code + ": " + error.message); }`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [join(bundle, "main.js"), name], { cwd: folder });
  return stdout.trim();
}

const ways = { "an ES module": "import.meta.url", "CommonJS, without import.meta.url": "undefined" };
for (const [way, importMeta] of Object.entries(ways)) {
  it(`a bundle as ${way} takes them from node_modules`, async () => {
    const project = join(folder, importMeta);
    const installed = join(project, "node_modules", "bge-reranker");
    cpSync(join(built, "threads"), join(installed, "dist", "src", "threads"), { recursive: true });
    const found = await fromBundle(join(project, "out"), "engineWorker", importMeta);
    assert.equal(found, join(installed, "dist", "src", "threads", "engine-worker.js"));
  });

  it(`a bundle as ${way} without node_modules names the remedies when a file is needed`, async () => {
    const bundle = join(folder, `alone-${importMeta}`, "out");
    const worker = await fromBundle(bundle, "engineWorker", importMeta);
    assert.match(worker, /^DEVICE_UNAVAILABLE: dist\/src\/threads\/engine-worker\.js of bge-reranker is missing/);
    for (const remedy of ["serverExternalPackages", "outputFileTracingIncludes", "externals", "--external:"])
      assert.ok(worker.includes(remedy), remedy);
    assert.match(worker, /worker: false/);
    const mini = await fromBundle(bundle, "mini", importMeta);
    assert.match(mini, /^MODEL_NOT_FOUND: models\/mini of bge-reranker is missing/);
    assert.doesNotMatch(mini, /worker: false/);
  });
}
