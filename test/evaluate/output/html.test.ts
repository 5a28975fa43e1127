import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { before, it } from "node:test";
import { evaluate, htmlReport } from "../../../src/evaluate/index.js";
import { repoRoot } from "../../support/paths.js";
import { noisy, noisyData, settingOf } from "../support/fake.js";

before(() => execFileSync(process.execPath, [join(repoRoot, "report", "build.mjs")]));

const report = async (name: string) =>
  htmlReport(await evaluate({ ...noisyData(12), name }, [settingOf("model", noisy)], { resamples: 50 }));

it("is one page that loads nothing, under half a megabyte without the data", async () => {
  const html = await report("data");
  assert.match(html, /^<!doctype html>/);
  assert.doesNotMatch(html, /<(?:link|img|iframe|base)\b|<script[^>]+src|@import|\burl\((?!#)/i);
  const [, json] = /<script id="evaluation" type="application\/json">(.*)<\/script>\n<script>/s.exec(html)!;
  assert.ok(html.length - json!.length < 500_000);
  assert.equal(JSON.parse(json!).evaluation.settings[1].name, "model");
  assert.match(html, /Permission to use, copy, modify/, "the licences of what is inside");
});

it("stays a page whatever the data hold", async () => {
  const nasty = "</script><script>alert(1)</script><!-- $& $` EVALUATION";
  const html = await report(nasty);
  assert.equal(html.split("<script").length, 3, "two scripts of its own");
  const [, json] = /type="application\/json">(.*?)<\/script>/s.exec(html)!;
  assert.equal(JSON.parse(json!).evaluation.data.name, nasty);
});
