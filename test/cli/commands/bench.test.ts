import assert from "node:assert/strict";
import { test } from "node:test";
import { useOwnCache } from "../../support/checkpoint.js";
import { runInside } from "../../support/cli.js";
import { fixture } from "../../support/paths.js";

useOwnCache();

const XLMR = fixture("models/xlmr");

test("bench: a table, a row for each device and dtype, and what does not run here", async (t) => {
  const args = ["bench", XLMR, "--device", "cpu", "--dtype", "fp32,int8,fp16", "--runs", "1", "--words", "5"];
  const { code, stdout, stderr } = await runInside(t, args);
  assert.deepEqual([code, stderr], [1, ""]);
  const [head, fp32, int8, fp16] = stdout.split("\n");
  assert.match(head!, /^device +dtype +load +p50 of 10 .*pairs\/s$/);
  assert.match(fp32!, /^cpu +fp32 +\d/);
  assert.match(int8!, /^cpu +int8 +\d/);
  assert.match(fp16!, /^cpu +fp16 +.*does not run on cpu/);
});

test("bench --json: latencies that fit the rate", async (t) => {
  const { code, stdout } = await runInside(t, [
    "bench",
    XLMR,
    "--device",
    "cpu",
    "--runs",
    "2",
    "--words",
    "5",
    "--json",
  ]);
  assert.equal(code, 0);
  const { results } = JSON.parse(stdout);
  assert.equal(results.length, 1);
  assert.deepEqual(
    results[0].requests.map(({ passages }: { passages: number }) => passages),
    [10, 50, 100],
  );
  for (const { passages, p50Ms, p95Ms, pairsPerSecond } of results[0].requests) {
    assert.ok(p50Ms > 0 && p50Ms <= p95Ms);
    const mean = (passages * 1000) / pairsPerSecond;
    assert.ok(mean >= p50Ms * 0.99 && mean <= p95Ms * 1.01, `${mean} between ${p50Ms} and ${p95Ms}`);
  }
});

test("bench: a format that there is none of", async (t) => {
  const { code, stderr } = await runInside(t, ["bench", XLMR, "--dtype", "fp32,int4"]);
  assert.equal(code, 2);
  assert.match(stderr, /--dtype must be .* got int4/);
});
