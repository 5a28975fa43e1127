import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCli } from "../../../src/cli/cli.js";
import { run, runInside } from "../../support/cli.js";
import { fakeIo } from "../../support/io.js";
import { fixture, temporaryFolder } from "../../support/paths.js";

test("cache: shows what a model left behind, clears it, and a cleared cache is made again", async (t) => {
  const folder = temporaryFolder(t);
  const env = { BGE_RERANKER_CACHE: folder };
  const rank = () =>
    run(t, ["rank", "-q", "a", "-m", fixture("models/xlmr"), "--dtype", "int8", "--device", "cpu"], {
      input: "b\n",
      env,
    });
  const first = await rank();
  const shown = await runInside(t, ["cache"], { env });
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /weights in int8/);
  assert.match(shown.stdout, /compiled tokenizer/);
  const listed = JSON.parse((await runInside(t, ["cache", "--json"], { env })).stdout);
  assert.equal(listed.folder, folder);
  assert.equal(listed.limit, 20e9);
  assert.ok(listed.entries.length > 0 && listed.size > 0);

  const cleared = await runInside(t, ["cache", "clear"], { env });
  assert.match(cleared.stdout, new RegExp(`^Removed ${listed.entries.length} files`));
  assert.deepEqual(readdirSync(folder), []);
  assert.equal((await rank()).stdout, first.stdout);
  assert.ok(existsSync(folder) && readdirSync(folder).length > 0);
});

test("cache: an action that it does not have", async (t) => {
  const { code, stdout, stderr } = await runInside(t, ["cache", "burn"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /cache can show, clear or warm, not burn/);
});

test("cache warm: makes all that later runs need, at full speed and without writing", async (t) => {
  const folder = temporaryFolder(t);
  const env = { BGE_RERANKER_CACHE: folder };
  const xlmr = fixture("models/xlmr");
  const warm = await run(t, ["cache", "warm", xlmr, "--dtype", "int8", "--device", "cpu"], { env });
  assert.deepEqual([warm.code, warm.stderr], [0, ""]);
  assert.match(warm.stdout, /made 6 files, .* in int8 on cpu\n.*compiled tokenizer/);
  assert.match(warm.stdout, /weights packed for this CPU/);
  const names = () => readdirSync(folder).sort();
  const before = names();
  const input = "some passage of a few words\n".repeat(500);
  const ranked = await run(t, ["rank", "-q", "a", "-m", xlmr, "--dtype", "int8", "--device", "cpu"], { input, env });
  assert.equal(ranked.code, 0, ranked.stderr);
  assert.deepEqual(names(), before);
  const again = await run(t, ["cache", "warm", xlmr, "--dtype", "int8", "--device", "cpu", "--json"], { env });
  assert.deepEqual(JSON.parse(again.stdout).made, []);
});

test("cache warm: fails where the cache cannot be written", async (t) => {
  const file = join(temporaryFolder(t), "file");
  writeFileSync(file, "");
  const env = { BGE_RERANKER_CACHE: file };
  const { code, stderr } = await run(t, ["cache", "warm", fixture("models/xlmr"), "--device", "cpu"], { env });
  assert.equal(code, 1);
  assert.match(stderr, /cannot be (written|kept)/);
});

test("cache: what goes with warm only, and what warm needs", async () => {
  const { io, written } = fakeIo();
  for (const [args, message] of [
    [["warm"], /cache warm needs MODEL/],
    [["clear", "mini"], /cache clear takes no model; "mini" is one too many/],
    [["show", "--dtype", "int8"], /--dtype only goes with cache warm/],
  ] as [string[], RegExp][]) {
    written.stderr = "";
    assert.equal(await runCli(["cache", ...args], io), 2);
    assert.match(written.stderr, message);
  }
});
