import assert from "node:assert/strict";
import { copyFileSync, cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { makeConsumer, type Packed, pack, run } from "../support/packed.js";
import { repoRoot, temporaryFolder } from "../support/paths.js";

const folder = temporaryFolder({ after });
let packed: Packed;
before(async () => {
  packed = await pack(folder);
});

/** Every type package that our users of that kind have as well. */
const FRAMEWORKS = [
  "@langchain/core",
  "@langchain/classic",
  "@langchain/textsplitters",
  "llamaindex",
  "ai",
  "@types/node",
];

it("compiles in a strict consumer project, as ESM and as CommonJS, and so do the examples", async () => {
  await makeConsumer(folder, packed, FRAMEWORKS);
  const sources = join(repoRoot, "test", "package", "consumer");
  for (const file of ["types.mts", "types.cts"]) copyFileSync(join(sources, file), join(folder, file));
  const examples = join(repoRoot, "examples");
  if (existsSync(examples)) cpSync(examples, join(folder, "examples"), { recursive: true });
  const compilerOptions = {
    ...{ strict: true, target: "es2023", lib: ["es2023", "esnext.disposable"], module: "nodenext", types: ["node"] },
    ...{ noEmit: true, skipLibCheck: true, verbatimModuleSyntax: true, exactOptionalPropertyTypes: true },
  };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, include: ["types.mts", "types.cts", "examples"] }),
  );
  await compile(folder);
});

it("has declarations that hold without skipLibCheck, with no framework there", async () => {
  const compilerOptions = { strict: true, target: "es2023", lib: ["es2023", "esnext.disposable"] };
  const bare = await makeConsumer(join(folder, "bare"), packed, ["@types/node"]);
  writeFileSync(join(bare, "index.mts"), 'export * from "bge-reranker";\nexport * from "bge-reranker/ai-sdk";\n');
  writeFileSync(
    join(bare, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: { ...compilerOptions, module: "nodenext", types: ["node"], noEmit: true, skipLibCheck: false },
      include: ["index.mts"],
    }),
  );
  const read = await compile(bare, "--listFiles");
  const ours = read.split("\n").flatMap((file) => /bge-reranker\/dist\/src\/(.+)\.d\.ts$/.exec(file)?.[1] ?? []);
  assert.ok(ours.includes("index") && ours.includes("adapters/ai-sdk"));
  // Declarations of what is inside may need a newer compiler than our users': Int32Array has type parameters since 5.7.
  const inside = /^(cache|engine|graph|model|runtime|threads|tokenizer)\//;
  assert.deepEqual(
    ours.filter((file) => inside.test(file)),
    [],
  );
});

it("leaves publint nothing to say", async () => {
  const tarball = readFileSync(packed.tarball);
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(tarball).buffer }, strict: true });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, pkg)),
    [],
  );
});

it("leaves are-the-types-wrong nothing to say about an ESM-only package", async () => {
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(packed.tarball))));
  assert.ok(result.types, "has types");
  // Its profile "esm-only" leaves out the resolutions of Node 10 and of require() before Node 20.19.
  const ignored = ["node10", "node16-cjs"];
  const problems = result.problems.filter((problem) => {
    const kind = "resolutionKind" in problem ? problem.resolutionKind : undefined;
    return kind === undefined || !ignored.includes(kind);
  });
  assert.deepEqual(problems, []);
});

async function compile(project: string, ...options: string[]): Promise<string> {
  const tsc = join(repoRoot, "node_modules", "typescript", "bin", "tsc");
  const { stdout } = await run(process.execPath, [tsc, "-p", project, ...options]).catch((error) =>
    assert.fail(`does not compile:\n${error.stdout || error.message}`),
  );
  return stdout;
}
