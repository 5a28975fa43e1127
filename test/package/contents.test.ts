import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { manifest, type Packed, pack } from "../support/packed.js";
import { repoRoot, temporaryFolder } from "../support/paths.js";

let packed: Packed;
before(async () => {
  packed = await pack(temporaryFolder({ after }));
});

it("is under 15 MB", () => {
  assert.ok(packed.size < 15e6, `${packed.size} bytes`);
});

it("has what the manifest points to, the embedded model and the papers", () => {
  const targets = JSON.stringify([manifest.exports]).match(/\.\/dist\/[^"]+/g) ?? [];
  const wanted = [
    ...targets.map((target) => target.slice(2)),
    "dist/src/cli/main.js",
    "dist/src/evaluate/output/report.html",
    "dist/src/threads/engine-worker.js",
    "models/mini/config.json",
    "models/mini/tokenizer.json",
    "models/mini/model.safetensors",
    "models/mini/README.md",
    "package.json",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
  ];
  assert.deepEqual(
    wanted.filter((file) => !packed.files.includes(file)),
    [],
  );
});

it("has nothing else: no tests, examples, training, and no leftovers of files that are gone", () => {
  const papers = ["package.json", "README.md", "LICENSE", "CHANGELOG.md"];
  const expected = (file: string) => {
    const source = /^dist\/(src\/.+?)(\.d\.ts|\.js)$/.exec(file)?.[1];
    if (source) return existsSync(join(repoRoot, `${source}.ts`));
    // Made from report/ by the build.
    if (file === "dist/src/evaluate/output/report.html") return true;
    return papers.includes(file) || file.startsWith("models/mini/");
  };
  assert.deepEqual(
    packed.files.filter((file) => !expected(file)),
    [],
    "remove dist and build again if these are leftovers",
  );
});

it("pulls in no framework: each is an optional peer", () => {
  for (const framework of ["@langchain/core", "llamaindex"]) {
    assert.ok(!(framework in manifest.dependencies));
    assert.ok(manifest.peerDependencies?.[framework], `${framework} is no peer dependency`);
    assert.equal(manifest.peerDependenciesMeta?.[framework]?.optional, true, `${framework} is not optional`);
  }
});
