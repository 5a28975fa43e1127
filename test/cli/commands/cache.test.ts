import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { run } from "../../support/cli.js";
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
  const shown = await run(t, ["cache"], { env });
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /weights in int8/);
  assert.match(shown.stdout, /compiled tokenizer/);
  const listed = JSON.parse((await run(t, ["cache", "--json"], { env })).stdout);
  assert.equal(listed.folder, folder);
  assert.equal(listed.limit, 20e9);
  assert.ok(listed.entries.length > 0 && listed.size > 0);

  const cleared = await run(t, ["cache", "clear"], { env });
  assert.match(cleared.stdout, new RegExp(`^Removed ${listed.entries.length} files`));
  assert.deepEqual(readdirSync(folder), []);
  assert.equal((await rank()).stdout, first.stdout);
  assert.ok(existsSync(folder) && readdirSync(folder).length > 0);
});

test("cache: an action that it does not have", async (t) => {
  const { code, stdout, stderr } = await run(t, ["cache", "burn"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /cache can show or clear, not burn/);
});
