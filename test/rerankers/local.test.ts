import assert from "node:assert/strict";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { RerankErrorCode } from "../../src/errors.js";
import { loadReranker } from "../../src/rerankers/load.js";
import type { Reranker, RerankerOptions } from "../../src/types.js";
import { editModel, useOwnCache } from "../support/checkpoint.js";
import { describeReranker } from "../support/conformance.js";
import { failsWith } from "../support/errors.js";
import { fixture } from "../support/paths.js";
import { referencePairs, references } from "../support/reference.js";
import { workersRunning, workersStarted } from "../support/workers.js";

useOwnCache();

const XLMR = fixture("models/xlmr");
const BERT = fixture("models/bert");
const cpu = (options: RerankerOptions = {}) => ({ device: "cpu", dtype: "fp32", ...options }) as const;

describeReranker("a local reranker in a worker", () => loadReranker("mini", cpu()));
// What is decided before an engine hears of a call is the same for all: options, blending, refusals.
const ENGINE = ["loading", "scores", "stats", "rank", "abort", "timeout"] as const;
describeReranker("a local reranker without a worker", () => loadReranker("mini", cpu({ worker: false })), [
  ...ENGINE,
  "disposal",
]);
describeReranker(
  "a local reranker with max-passage",
  () => loadReranker("mini", cpu({ overflow: "max-passage" })),
  ENGINE,
);

const pairs = referencePairs().slice(0, 60);
const expected = references("bert").slice(0, 60);
const texts = pairs.map(({ query, passage }) => [query, passage] as const);

describe("a local reranker", () => {
  let full: Reranker;
  before(async () => {
    full = await loadReranker(BERT, cpu());
  });
  after(() => full.dispose());

  it("scores the same in a worker and without one, as PyTorch does", async () => {
    await using inline = await loadReranker(BERT, cpu({ worker: false }));
    for (const reranker of [full, inline]) {
      const scores = await reranker.computeScore(texts);
      for (const [i, score] of scores.entries()) assert.ok(Math.abs(score - expected[i]!.logit) < 1e-4);
    }
  });

  it("tells what runs", async () => {
    const reranker = await loadReranker(XLMR, cpu({ maxLength: 100 }));
    assert.deepEqual(reranker.info, {
      model: XLMR,
      revision: undefined,
      architecture: "xlm-roberta",
      device: "cpu",
      dtype: "fp32",
      maxLength: 100,
    });
    await reranker.dispose();
  });

  it("counts maxLength in tokens of the whole pair", async () => {
    await using short = await loadReranker(BERT, cpu({ maxLength: 32 }));
    const start = "server ".repeat(10);
    const [cut, whole] = await Promise.all([
      short.score("error", [`${start}${"process ".repeat(300)}`, `${start}${"terminated ".repeat(300)}`]),
      full.score("error", [`${start}${"process ".repeat(300)}`, `${start}${"terminated ".repeat(300)}`]),
    ]);
    assert.notEqual(whole[0], whole[1]);
    assert.notEqual(cut[0], whole[0]);
  });

  it("puts instructions before texts or round them, as FlagReranker does", async () => {
    const instructions = { queryInstruction: "A: ", passageInstruction: "B: {} {}" };
    await using instructed = await loadReranker(BERT, cpu(instructions));
    const passages = ["process {} $&", "terminated"];
    const expected = await full.score("A: server", ["B: process {} $& {}", "B: terminated {}"]);
    assert.deepEqual(await instructed.score("server", passages), expected);
    const options = cpu({ passageInstruction: "B: ", overflow: "max-passage" });
    await assert.rejects(loadReranker(BERT, options), failsWith("OPTION_INVALID", "passageInstruction"));
  });

  it("cuts the query to queryMaxLength tokens", async () => {
    await using cut = await loadReranker(BERT, cpu({ queryMaxLength: 2 }));
    const [same, other] = [await full.score("server error", ["process"]), await full.score("server", ["process"])];
    assert.deepEqual(await cut.score("server error process file", ["process"]), same);
    assert.deepEqual(await cut.score("server", ["process"]), other);
  });

  it("leaves nothing running when it refuses an option after the load", async () => {
    const before = workersRunning().length;
    await assert.rejects(loadReranker(BERT, cpu({ maxLength: 513 })), failsWith("OPTION_INVALID", "513", "512"));
    assert.equal(workersStarted.length > 0 && workersRunning().length, before);
  });
});

describe("a checkpoint that is written over while it is loaded", () => {
  for (const worker of [true, false]) {
    it(`is an error of the next call; the one after it scores the new one, worker: ${worker}`, async (t) => {
      const folder = editModel(t, "bert", {});
      const weights = join(folder, "model.safetensors");
      const other = editModel(t, "bert", {
        tensors: (tensors) => tensors.get("classifier.weight")!.bytes.fill(0),
      });
      await using reranker = await loadReranker(folder, cpu({ worker }));
      const [before] = await reranker.score("server", ["error"]);
      writeFileSync(weights, readFileSync(join(other, "model.safetensors")));
      const calls = [reranker.score("server", ["error"]), reranker.rank("server", ["error"])];
      for (const call of calls) await assert.rejects(call, failsWith("MODEL_INVALID", weights, "renaming"));
      const [after] = await reranker.score("server", ["error"]);
      assert.notEqual(after, before);
      assert.equal(after, (await reranker.score("server", ["process"]))[0], "a classifier of zeros");
      truncateSync(weights, 5000);
      for (let i = 0; i < 2; i++) await assert.rejects(reranker.score("server", ["error"]), failsWith("MODEL_INVALID"));
      await reranker.dispose();
      assert.equal(workersRunning().length, 0);
    });
  }
});

describe("overflow max-passage", () => {
  const long = `${"The server was started. ".repeat(200)}It terminated unexpectedly. ${"It was started again. ".repeat(200)}`;

  let plain: Reranker;
  before(async () => {
    plain = await loadReranker(XLMR, cpu({ maxLength: 64 }));
  });
  after(() => plain.dispose());

  it("returns the span of the best window, and its text's score", async () => {
    await using reranker = await loadReranker(XLMR, cpu({ overflow: "max-passage", maxLength: 64 }));
    const ranked = await reranker.rank("why did it stop", [{ text: long, id: 1 }, "short"], { normalize: false });
    for (const { score, span, document } of ranked) {
      const text = typeof document === "string" ? document : document.text;
      const [alone] = await plain.score("why did it stop", [text.slice(...span!)]);
      assert.ok(Math.abs(score - alone!) < 1e-5);
    }
    assert.deepEqual(ranked.find(({ document }) => document === "short")?.span, [0, 5]);
  });

  it("has no span without it", async () => {
    assert.ok(!("span" in (await plain.rank("q", [long]))[0]!));
  });
});

describe("options of loadReranker", () => {
  // biome-ignore lint/suspicious/noExplicitAny: a caller without types can pass anything
  const wrong = (value: unknown): any => value;
  const refuses = (what: string, model: unknown, options: unknown, code: RerankErrorCode, ...said: string[]) =>
    it(`refuse ${what}`, () => assert.rejects(loadReranker(wrong(model), wrong(options)), failsWith(code, ...said)));

  refuses("an unknown name", BERT, { devices: "cpu" }, "OPTION_INVALID", '"devices"', "batchTokens");
  refuses("an unknown device", BERT, { device: "gpu" }, "OPTION_INVALID", '"gpu"', '"cuda"');
  refuses("auto with a number", BERT, { device: "auto:1" }, "OPTION_INVALID", "auto:1");
  refuses("an unknown dtype", BERT, { dtype: "q8" }, "OPTION_INVALID", '"q8"', '"int8"');
  refuses("maxLength 0", BERT, { maxLength: 0 }, "OPTION_INVALID", "maxLength", "0");
  refuses("maxLength that is no integer", BERT, { maxLength: 12.5 }, "OPTION_INVALID", "12.5");
  refuses(
    "a maxLength without room for a pair",
    BERT,
    { maxLength: 2, device: "cpu", worker: false },
    "OPTION_INVALID",
    "maxLength",
    "2",
  );
  for (const maxLength of [3, 4]) {
    refuses(
      "a maxLength without a token of each text",
      BERT,
      { maxLength, device: "cpu", worker: false },
      "OPTION_INVALID",
      "5 tokens",
    );
  }
  refuses("batchTokens 0", BERT, { batchTokens: 0 }, "OPTION_INVALID", "batchTokens");
  refuses("an unknown overflow", BERT, { overflow: "split" }, "OPTION_INVALID", '"split"', '"max-passage"');
  refuses("worker that is no boolean", BERT, { worker: 1 }, "OPTION_INVALID", "worker");
  refuses("a revision of a folder", BERT, { revision: "main" }, "OPTION_INVALID", "revision");
  refuses("options that are no object", BERT, "cpu", "OPTION_INVALID", '"cpu"');
  refuses("a model that is no string", 7, {}, "OPTION_INVALID", "7");
  refuses("an empty model", " ", {}, "OPTION_INVALID");
  refuses("a folder that is not there", "./no/such/model", {}, "MODEL_NOT_FOUND", "no/such/model");
  refuses("a folder without a model", fixture("logits"), {}, "MODEL_NOT_FOUND", "config.json");
});

describe("a caller's arrays", () => {
  let reranker: Reranker;
  before(async () => {
    reranker = await loadReranker(BERT, cpu());
  });
  after(() => reranker.dispose());

  it("may change once the call has been made", async () => {
    const passages = texts.slice(0, 20).map(([, passage]) => passage);
    const documents = passages.map((text) => ({ text }));
    const wanted = await reranker.score("server", passages);
    const best = await reranker.rank("server", documents);
    const [changing, list] = [[...passages], [...documents]];
    const calls = [reranker.score("server", changing), reranker.rank("server", list)] as const;
    changing.fill("something else").push("more");
    list.reverse().pop();
    assert.deepEqual(await calls[0], wanted);
    assert.deepEqual(await calls[1], best);
  });

  it("are left as they were", async () => {
    const documents = Object.freeze([Object.freeze({ text: "b" }), Object.freeze({ text: "a" })]);
    await reranker.rank("server", documents);
    await reranker.score("server", Object.freeze(["a", "b"]));
    await reranker.computeScore(Object.freeze([Object.freeze(["a", "b"] as const)]));
  });
});
