import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { describe, it } from "node:test";
import { loadReranker } from "../../src/rerankers/load.js";
import { sharedReranker } from "../../src/rerankers/shared.js";
import type { Reranker, RerankerOptions } from "../../src/types.js";
import { editModel, useOwnCache } from "../support/checkpoint.js";
import { describeReranker } from "../support/conformance.js";
import { failsWith } from "../support/errors.js";
import { fixture } from "../support/paths.js";
import { enginesStarted, THREADS, workersRunning } from "../support/workers.js";

useOwnCache();

const BERT = fixture("models/bert");
const shared = (options: RerankerOptions = {}, model = BERT) => sharedReranker(model, { device: "cpu", ...options });

describeReranker("a shared reranker", () => sharedReranker("mini", { device: "cpu" }));

/** Engines that start while `use` runs; all that it makes must be disposed of in the end. */
async function startedBy(use: () => Promise<void>): Promise<number> {
  const before = enginesStarted();
  await use();
  assert.equal(workersRunning().length, 0, "every model is freed in the end");
  return enginesStarted() - before;
}

describe("sharedReranker", () => {
  it("loads nothing before it is used", async () => {
    const started = await startedBy(async () => {
      const reranker = shared();
      assert.equal(reranker.info, undefined);
      assert.deepEqual(await reranker.score("q", []), []);
      assert.equal(reranker.info, undefined);
      await reranker.dispose();
    });
    assert.equal(started, 0);
  });

  it("shares one load and one worker, however many ask at once", async () => {
    const started = await startedBy(async () => {
      const rerankers = Array.from({ length: 8 }, () => shared({ workers: 1 }));
      const scores = await Promise.all(rerankers.map((reranker) => reranker.score("server", ["error", "process"])));
      assert.equal(workersRunning().length, THREADS);
      for (const list of scores) assert.deepEqual(list, scores[0]);
      await Promise.all(rerankers.map((reranker) => reranker.dispose()));
    });
    assert.equal(started, 1);
  });

  it("shares between what is said and what is the default, and between different limits", async () => {
    const started = await startedBy(async () => {
      const rerankers = [
        sharedReranker(BERT),
        sharedReranker(BERT, {}),
        sharedReranker(BERT, { device: "auto", dtype: "auto", worker: true, overflow: "truncate" }),
        sharedReranker(BERT, { maxLength: 64 }),
        sharedReranker(BERT, { overflow: "max-passage", onProgress: () => {} }),
      ];
      for (const reranker of rerankers) await reranker.load();
      assert.deepEqual(
        rerankers.map(({ info }) => info!.maxLength),
        [512, 512, 512, 64, 512],
      );
      for (const reranker of rerankers) await reranker.dispose();
    });
    assert.equal(started, 1);
  });

  it("keeps apart what computes something else", async () => {
    const started = await startedBy(async () => {
      const rerankers = [
        shared(),
        shared({ dtype: "int8" }),
        shared({ batchTokens: 100 }),
        shared({}, fixture("models/xlmr")),
      ];
      await Promise.all(rerankers.map((reranker) => reranker.load()));
      assert.equal(workersRunning().length, 4 * THREADS);
      assert.deepEqual(
        rerankers.map(({ info }) => `${info!.architecture} ${info!.dtype}`),
        ["bert fp32", "bert int8", "bert fp32", "xlm-roberta fp32"],
      );
      await Promise.all(rerankers.map((reranker) => reranker.dispose()));
    });
    assert.equal(started, 4);
  });

  it("frees the model with the last of its users, and not before", async () => {
    await startedBy(async () => {
      const [one, two] = [shared(), shared()];
      const [before] = await one.score("server", ["error"]);
      assert.equal(await two.computeScore(["server", "error"]), before);
      await one.dispose();
      await one.dispose();
      await assert.rejects(one.score("server", ["error"]), failsWith("DISPOSED"));
      assert.equal(workersRunning().length, THREADS);
      assert.equal(await two.computeScore(["server", "error"]), before);
      await two.dispose();
      assert.equal(workersRunning().length, 0);
    });
  });

  it("loads anew after the last user has gone", async () => {
    const started = await startedBy(async () => {
      for (let i = 0; i < 2; i++) {
        await using reranker = shared();
        await reranker.load();
      }
    });
    assert.equal(started, 2);
  });

  it("can be disposed of before it is used, and while it loads", async () => {
    await startedBy(async () => {
      const [idle, loading, staying] = [shared(), shared(), shared()];
      await idle.dispose();
      const outcome = assert.rejects(loading.score("server", ["error"]), failsWith("DISPOSED"));
      await loading.dispose();
      await outcome;
      assert.equal((await staying.score("server", ["error"])).length, 1);
      await staying.dispose();
    });
  });

  it("ends the calls of a user that goes, and no other's", async () => {
    await startedBy(async () => {
      const [one, two] = [shared(), shared()];
      const many = Array.from({ length: 100 }, (_, i) => `process ${i} `.repeat(30));
      const under = new Promise<void>((resolve) => {
        const outcome = one.score("server", many, { onProgress: () => resolve() });
        void assert.rejects(outcome, failsWith("DISPOSED")).then(() => (ended = true));
      });
      let ended = false;
      const other = two.score("server", many);
      await under;
      await one.dispose();
      await new Promise((resume) => setImmediate(resume));
      assert.ok(ended, "a call under way ends with its reranker");
      assert.equal((await other).length, 100);
      await two.dispose();
    });
  });

  it("tries again after a load that failed", async (t) => {
    await startedBy(async () => {
      const folder = editModel(t, "bert", {});
      renameSync(folder, `${folder}-away`);
      const [one, two] = [shared({}, folder), shared({}, folder)];
      for (const reranker of [one, two, one]) await assert.rejects(reranker.load(), failsWith("MODEL_NOT_FOUND"));
      renameSync(`${folder}-away`, folder);
      assert.equal((await two.score("server", ["error"])).length, 1);
      assert.equal((await one.score("server", ["error"])).length, 1);
      assert.equal(workersRunning().length, THREADS);
      await Promise.all([one.dispose(), two.dispose()]);
    });
  });

  it("is not shared with loadReranker, whose model is its own", async () => {
    await startedBy(async () => {
      const mine: Reranker[] = [
        shared(),
        await loadReranker(BERT, { device: "cpu" }),
        await loadReranker(BERT, { device: "cpu" }),
      ];
      await mine[0]!.load();
      assert.equal(workersRunning().length, 3 * THREADS);
      for (const reranker of mine) await reranker.dispose();
    });
  });

  it("refuses wrong options at once, without a load", () => {
    const wrong = { device: "gpu" } as unknown as RerankerOptions;
    assert.throws(() => sharedReranker(BERT, wrong), failsWith("OPTION_INVALID", '"gpu"'));
    assert.throws(() => sharedReranker(""), failsWith("OPTION_INVALID"));
  });
});
