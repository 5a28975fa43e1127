import assert from "node:assert/strict";
import { test } from "node:test";
import { runCli } from "../../../src/cli/cli.js";
import { compare, makeVerifyCommand, type VerifyParts } from "../../../src/cli/commands/verify.js";
import { type PublishedScores, publishedScores } from "../../../src/cli/published-scores.js";
import type { Reranker, RerankerInfo, RerankerOptions } from "../../../src/types.js";
import { fakeIo } from "../../support/io.js";

const tables: PublishedScores[] = [
  {
    model: "lab/exact",
    source: "https://example.org/one",
    dtype: "fp32",
    tolerance: 0.001,
    pairs: [
      { query: "q", passage: "yes", logit: 2.5 },
      { query: "q", passage: "no", logit: -1 },
    ],
  },
  {
    model: "lab/exact",
    source: "https://example.org/two",
    dtype: "fp16",
    tolerance: 0.1,
    pairs: [{ query: "r", passage: "yes", logit: 4 }],
  },
  { model: "lab/other", source: "https://example.org/three", dtype: "fp32", tolerance: 1, pairs: [] },
];

const COMMIT = "c".repeat(40);

/** `verify` on a reranker that gives `scores`, whatever it is asked; a folder has no revision. */
async function verify(scores: number[], args: string[], from: "hub" | "folder" = "hub") {
  const asked: { model: string | undefined; options: RerankerOptions; pairs: unknown }[] = [];
  const withReranker: VerifyParts["withReranker"] = async (_io, model, options, use) => {
    const info: RerankerInfo = {
      model: model!,
      revision: from === "hub" ? COMMIT : undefined,
      architecture: "bert",
      device: "cpu",
      dtype: "fp32",
      maxLength: 512,
    };
    const computeScore = async (pairs: unknown) => {
      asked.push({ model, options, pairs });
      return scores;
    };
    return use({ info, computeScore } as unknown as Reranker, undefined as never);
  };
  const { io, written } = fakeIo();
  const code = await runCli(["verify", ...args], io, [makeVerifyCommand({ tables, withReranker })]);
  return { code, asked, ...written };
}

test("scores within their own tolerance: exit code 0", async () => {
  const { code, asked, stdout, stderr } = await verify([2.5009, -1.0009, 4.09], ["lab/exact"]);
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.deepEqual(asked[0]?.pairs, [
    ["q", "yes"],
    ["q", "no"],
    ["r", "yes"],
  ]);
  assert.equal(asked[0]?.options.dtype, "fp32");
  assert.match(stdout, /ok +q \/ yes +2\.50000 +2\.50090 +0\.00090 +0\.001 +\[1\]/);
  assert.match(stdout, /ok +r \/ yes +4\.00000 +4\.09000 +0\.09000 +0\.1 +\[2\]/);
  assert.match(stdout, /\[1\] https:\/\/example\.org\/one\n\[2\] https:\/\/example\.org\/two/);
});

test("one score off: it is marked, exit code 1", async () => {
  for (const [scores, name] of [
    [[2.5012, -1, 4], "q / yes"],
    [[2.5, -1.0012, 4], "q / no"],
    [[2.5, -1, 3.89], "r / yes"],
    [[2.5, Number.NaN, 4], "q / no"],
  ] as const) {
    const { code, stdout } = await verify([...scores], ["lab/exact"]);
    assert.equal(code, 1);
    assert.deepEqual(
      stdout.match(/^OFF .*/gm)?.map((line) => line.slice(5, 12).trim()),
      [name],
    );
    assert.match(stdout, /1 of 3 scores are not as published/);
  }
});

test("a model without published scores is not verified: exit code 1, nothing is loaded", async () => {
  for (const name of ["mini", "my/model", "./exact", "exact"]) {
    const { code, asked, stdout, stderr } = await verify([], [name]);
    assert.equal(code, 1);
    assert.deepEqual(asked, []);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      /No scores are published for .* nothing was verified\. There are some for lab\/exact, lab\/other/,
    );
  }
});

test("the table is chosen by hub id or --as, never by a folder's name", async () => {
  const named = await verify([2.5, -1, 4], ["lab/exact"], "folder");
  assert.equal(named.code, 1);
  assert.equal(named.stdout, "");
  assert.match(named.stderr, /"lab\/exact" is a folder here.* --as lab\/exact/);
  const told = await verify([2.5, -1, 4], ["./copy", "--as", "lab/exact"], "folder");
  assert.equal(told.code, 0);
  assert.match(told.stdout, /^\.\/copy as lab\/exact, fp32 on cpu\n/);
});

test("--json holds what ran and every pair", async () => {
  const { code, stdout } = await verify([2.5, -1, 5], ["lab/exact", "--json"]);
  assert.equal(code, 1);
  const { model, revision, as, pairs } = JSON.parse(stdout);
  assert.deepEqual({ model, revision, as }, { model: "lab/exact", revision: COMMIT, as: "lab/exact" });
  assert.deepEqual(pairs[2], {
    query: "r",
    passage: "yes",
    published: 4,
    ours: 5,
    difference: 1,
    tolerance: 0.1,
    equal: false,
    source: "https://example.org/two",
  });
});

test("the published table: three models, sane logits, linked sources", async () => {
  const models = [...new Set(publishedScores.map(({ model }) => model))];
  assert.deepEqual(models, ["BAAI/bge-reranker-base", "BAAI/bge-reranker-large", "BAAI/bge-reranker-v2-m3"]);
  for (const { source, pairs } of publishedScores) {
    assert.match(source, /^https:\/\/github\.com\//);
    // Published twice, independently: a relevant passage scores above an irrelevant one.
    assert.ok(pairs.every(({ logit }) => Number.isFinite(logit) && Math.abs(logit) < 20));
  }
  const perfect = { computeScore: async () => publishedScores.flatMap(({ pairs }) => pairs.map(({ logit }) => logit)) };
  const rows = await compare(publishedScores, perfect as unknown as Pick<Reranker, "computeScore">);
  assert.equal(rows.length, 11);
  assert.ok(rows.every(({ equal, difference }) => equal && difference === 0));
});
