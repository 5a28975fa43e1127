import assert from "node:assert/strict";
import { copyFileSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { entryPoints, makeConsumer, manifest, pack, run } from "../support/packed.js";
import { repoRoot, temporaryFolder } from "../support/paths.js";

// Other versions of Node, as paths separated like PATH; .ci/run sets them.
const nodes = [process.execPath, ...(process.env.BGE_TEST_NODES ?? "").split(delimiter).filter(Boolean)];

const sources = join(repoRoot, "test", "package", "consumer");
const folder = temporaryFolder({ after });
let everything: string;
let bare: string;
before(async () => {
  const packed = await pack(folder);
  const make = (name: string, also: readonly string[]) => {
    mkdirSync(join(folder, name));
    for (const script of ["smoke.mjs", "smoke.cjs"]) copyFileSync(join(sources, script), join(folder, name, script));
    return makeConsumer(join(folder, name), packed, also);
  };
  everything = await make("everything", ["@langchain/core", "llamaindex"]);
  bare = await make("bare", []);
});

/** Runs a program in a consumer project and returns what it printed. */
async function node(program: string, cwd: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, BGE_RERANKER_CACHE: join(folder, "cache") };
  const { stdout } = await run(program, args, { cwd, env, timeout: 120_000 });
  return stdout;
}

for (const program of nodes) {
  describe(`the packed package on ${program}`, () => {
    for (const script of ["smoke.mjs", "smoke.cjs"]) {
      it(`loads every entry point and reranks (${script})`, async () => {
        const out = await node(program, everything, script, "mini", ...entryPoints);
        const { ranked } = JSON.parse(out) as { ranked: { index: number; score: number }[] };
        assert.equal(ranked.length, 2);
        assert.equal(ranked[0]!.index, 1, "the answer comes first");
        assert.ok(ranked.every(({ score }) => score > 0 && score < 1));
      });
    }

    it("needs no framework but where one is extended", async () => {
      const free = entryPoints.filter((entry) => entry !== "bge-reranker/langchain");
      await node(program, bare, "smoke.mjs", "mini", ...free);
      await assert.rejects(node(program, bare, "smoke.mjs", "mini", "bge-reranker/langchain"), /@langchain\/core/);
    });

    it("runs its command", async () => {
      const main = join(bare, "node_modules", manifest.name, manifest.bin["bge-reranker"]);
      assert.equal((await node(program, bare, main, "--version")).trim(), manifest.version);
    });
  });
}

it("keeps its internals to itself", async () => {
  const inside = 'await import("bge-reranker/dist/src/errors.js")';
  await assert.rejects(
    node(process.execPath, bare, "--input-type=module", "--eval", inside),
    /ERR_PACKAGE_PATH_NOT_EXPORTED/,
  );
});
