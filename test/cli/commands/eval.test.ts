import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Evaluation } from "../../../src/evaluate/index.js";
import { loadReranker } from "../../../src/index.js";
import { BEIR, folderWith } from "../../evaluate/support/folder.js";
import { useOwnCache } from "../../support/checkpoint.js";
import { run, runInside, start } from "../../support/cli.js";
import { fixture, temporaryFolder } from "../../support/paths.js";

useOwnCache();

const XLMR = fixture("models/xlmr");
const read = (file: string): Evaluation => JSON.parse(readFileSync(file, "utf8"));

/** Everything but the times. */
const timeless = ({ settings, ...rest }: Evaluation) => ({
  ...rest,
  settings: settings.map(({ latency: _, ...setting }) => setting),
});

test("eval: a table, and what it means, as text, JSON and Markdown", async (t) => {
  const folder = folderWith(t, BEIR);
  const [json, markdown] = [join(folder, "out.json"), join(folder, "out.md")];
  const args = ["eval", folder, "-m", XLMR, "--random", "--blend", "0.5", "--measures", "mrr@10,recall@5"];
  const { code, stdout, stderr } = await run(t, [...args, "--json", json, "--markdown", markdown]);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^3 queries, 2 candidates from BM25, 2 of 3 relevant passages among them\n\n {3}setting +mrr@10 /,
  );
  assert.match(stdout, /\na {2}BM25 +0\.667 +.*\nb {2}random order +0\.667 /);
  assert.match(stdout, /- .*: No proven difference\. mrr@10 \+0\.000 against BM25/);
  assert.match(stderr, /2 of 2 pairs/);
  const { settings, measures } = read(json);
  assert.deepEqual(measures, ["mrr@10", "recall@5"]);
  assert.deepEqual(
    settings.map(({ name }) => name),
    ["BM25", "random order", XLMR, `${XLMR} + 0.5 BM25`],
  );
  assert.equal(settings[2]!.info!.dtype, "fp32");
  assert.match(readFileSync(markdown, "utf8"), /^\| c \| /m);
  const alone = await runInside(t, ["eval", folder, "-m", "none", "--json", "-"]);
  assert.equal(JSON.parse(alone.stdout).settings.length, 1);
});

test("eval: killed three times and resumed, the same result as undisturbed", async (t) => {
  const folder = temporaryFolder(t);
  const words = "the cat sat on a mat while dogs barked at fish in deep seas near old towns".split(" ");
  const passage = (n: number) =>
    words
      .map((_, i) => words[(i * n + n) % words.length])
      .join(" ")
      .repeat(2);
  const queries = Array.from({ length: 40 }, (_, q) => ({
    query: `${words[q % words.length]} ${words[(q * 7) % words.length]}`,
    passages: Array.from({ length: 10 }, (_, p) => passage(q + p * 3 + 1)),
    relevant: [q % 10],
  }));
  const data = join(folderWith(t, { "data.jsonl": queries }), "data.jsonl");
  const checkpoint = join(folder, "scores.jsonl");
  const args = (name: string) => ["eval", data, "-m", XLMR, "--dtype", "fp32,int8", "--json", join(folder, name)];
  const lines = () => (existsSync(checkpoint) ? readFileSync(checkpoint, "utf8").split("\n").length : 0);
  for (const wanted of [5, 30, 55]) {
    const { child, closed } = start(t, [...args("never.json"), "--checkpoint", checkpoint]);
    while (lines() < wanted && child.exitCode === null) await sleep(2);
    child.kill("SIGKILL");
    const [, signal] = await closed;
    assert.equal(signal, "SIGKILL", "it was still at work");
  }
  const before = lines();
  const resumed = await run(t, [...args("resumed.json"), "--checkpoint", checkpoint]);
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.ok(before >= 55 && lines() < 90, "what was there was not made again");
  const undisturbed = await runInside(t, args("undisturbed.json"));
  assert.equal(undisturbed.code, 0, undisturbed.stderr);
  assert.ok(!existsSync(join(folder, "never.json")));
  assert.deepEqual(timeless(read(join(folder, "resumed.json"))), timeless(read(join(folder, "undisturbed.json"))));
});

test("eval --calibrate: a file that rank takes", async (t) => {
  const passages = ["a cat sat on a mat", "dogs bark", "fish swim in the sea", "old towns by the sea"];
  const reranker = await loadReranker(XLMR, { device: "cpu" });
  t.after(() => reranker.dispose());
  // What this tiny model likes best is relevant, with an exception.
  const ranked = await Promise.all(Array.from({ length: 12 }, (_, q) => reranker.rank(`cat ${q}`, passages)));
  const queries = ranked.map((places, q) => ({
    query: `cat ${q}`,
    passages,
    relevant: [places[q === 5 ? 3 : 0]!.index],
  }));
  const folder = folderWith(t, { "data.jsonl": queries });
  const [data, file] = [join(folder, "data.jsonl"), join(folder, "calibration.json")];
  const { code, stderr } = await run(t, ["eval", data, "-m", XLMR, "--calibrate", file]);
  assert.equal(code, 0, stderr);
  const { scale, offset, model } = JSON.parse(readFileSync(file, "utf8"));
  assert.equal(model, XLMR);
  const [best] = await reranker.rank("cat", passages, { calibration: file });
  const [raw] = await reranker.rank("cat", passages, { normalize: false });
  assert.ok(Math.abs(best!.score - 1 / (1 + Math.exp(-scale * raw!.score - offset))) < 1e-6);
});

test("eval: a guard for CI", async (t) => {
  const folder = folderWith(t, BEIR);
  const json = join(folder, "base.json");
  const args = ["eval", folder, "-m", XLMR, "--measures", "map"];
  assert.equal((await runInside(t, [...args, "--json", json])).code, 0);
  const same = await runInside(t, [...args, "--baseline", json, "--fail-drop", "0"]);
  assert.deepEqual([same.code, same.stderr.includes("map 0.6667 → 0.6667 (+0.0000)")], [0, true], same.stderr);
  const under = await runInside(t, [...args, "--fail-under", "0.7"]);
  assert.equal(under.code, 1);
  assert.match(under.stderr, /map is 0\.667, under 0\.7/);
});

test("eval --c-mteb: BAAI's table", async (t) => {
  const samples = [{ query: "cat", positive: ["a cat"], negative: ["a dog"] }];
  const folder = folderWith(t, { "T2Reranking.jsonl": samples });
  const { code, stdout, stderr } = await runInside(t, ["eval", "--c-mteb", folder, "-m", XLMR]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^MAP, % +T2Reranking +T2RerankingZh2En .* average\n.*xlmr +(100|50)\.00 +– +– +– +– +– +–\n$/);
});

test("eval: what it cannot do", async (t) => {
  const folder = folderWith(t, BEIR);
  const cases: [string[], number, RegExp][] = [
    [[], 2, /either DATA or --c-mteb/],
    [[folder, "--c-mteb", folder], 2, /either DATA or --c-mteb/],
    [[folder, "--dtype", "fp32,int4"], 2, /--dtype must be .* got int4/],
    [[folder, "--blend", "0.2,2"], 2, /--blend must be a number from 0 to 1, got 2/],
    [[folder, "--fail-drop", "0.1"], 2, /--fail-drop needs --baseline/],
    [[folder, "--dtype", "fp32,int8", "--calibrate", "c.json", "-m", XLMR], 2, /--calibrate is for one model/],
    [[folder, "--measures", "ndgc"], 2, /There is no measure "ndgc"/],
    [[folder, "--baseline", "nowhere.json"], 1, /Cannot read the baseline nowhere\.json/],
    [["nowhere"], 1, /no file or folder nowhere/],
  ];
  for (const [args, expected, said] of cases) {
    const { code, stderr } = await runInside(t, ["eval", ...args, ...(args.includes("--dtype") ? [] : ["-m", XLMR])]);
    assert.deepEqual([code, said.test(stderr)], [expected, true], `${args}: ${stderr}`);
  }
});
