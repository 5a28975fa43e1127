import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { LoadedModel } from "../../src/engine/loaded-model.js";
import { RerankError, type RerankErrorCode } from "../../src/errors.js";
import type { Batch } from "../../src/runtime/batch.js";
import type { PairTokenizer } from "../../src/tokenizer/tokenizer.js";
import { EngineRun, FakeSession, loadedModel, openTokenizer } from "../support/engine.js";
import { fixture } from "../support/paths.js";

let tokenizer: PairTokenizer;
before(async () => {
  tokenizer = await openTokenizer(fixture("models/bert"));
});

function start(parts: Partial<LoadedModel> = {}): { run: EngineRun; session: FakeSession } {
  const session = new FakeSession();
  return { run: new EngineRun(loadedModel({ session, tokenizer, ...parts })), session };
}

/** `count` passages of one to seven words. */
function passages(count: number): string[] {
  return Array.from({ length: count }, (_, i) => "error ".repeat(1 + (i % 7)));
}

/** Tokens of a pair, by the tokenizer alone. */
function tokens(query: string, passage: string): number {
  return tokenizer.pair(tokenizer.encode(query), tokenizer.encode(passage), 512).ids.length;
}

function hasCode(error: unknown, code: RerankErrorCode, said: RegExp): void {
  assert.ok(error instanceof RerankError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, said);
}

const padded = (batch: Batch) => batch.rows * batch.length;

describe("Engine", () => {
  it("answers every passage, in place, with the query that belongs to it", async () => {
    const { run, session } = start({ batchTokens: 100 });
    const queries = ["server", "why did the server process terminate"];
    const texts = passages(50);
    const queryOf = texts.map((_, i) => (i * 3) % 2);
    await run.submit(1, queries, texts, { queryOf });
    assert.deepEqual(
      run.logits.get(1),
      texts.map((text, i) => tokens(queries[queryOf[i]!]!, text)),
    );
    assert.ok(session.batches.length > 1);
  });

  it("reports results batch by batch and lets messages in between", async () => {
    const { run } = start({ batchTokens: 50 });
    let seenFromOutside = 0;
    const watch = setInterval(() => (seenFromOutside = run.log.length), 0);
    const done = run.submit(1, ["q"], passages(2000));
    await done;
    clearInterval(watch);
    assert.ok(run.log.length > 100);
    assert.ok(seenFromOutside > 0, "timers run while a request is under way");
  });

  it("answers a small request within two batches while a huge one runs", async () => {
    const { run, session } = start({ batchTokens: 50 });
    session.milliseconds = 1;
    void run.submit(1, ["q"], passages(3000));
    await new Promise((resume) => setTimeout(resume, 30));
    const before = session.batches.length;
    await run.submit(2, ["q"], ["error"]);
    assert.ok(session.batches.length - before <= 2, `${session.batches.length - before} batches`);
    run.engine.abort(1);
  });

  it("goes on after it has been idle", async () => {
    const { run } = start();
    for (const id of [1, 2, 3]) {
      await run.submit(id, ["q"], passages(3));
      assert.equal(run.logits.get(id)!.length, 3);
      await new Promise((resume) => setTimeout(resume, 2));
    }
  });
});

describe("Engine counts and times", () => {
  const long = "error ".repeat(40);

  it("tokens and truncated passages of a request", async () => {
    const { run } = start({ batchTokens: 100 });
    const texts = [...passages(20), long];
    await Promise.all([run.submit(1, ["q"], texts, { maxLength: 32 }), run.submit(2, ["q"], passages(3))]);
    const [one, two] = [run.stats.get(1)!, run.stats.get(2)!];
    const sum = (list: string[]) => list.reduce((sum, text) => sum + tokens("q", text), 0);
    assert.deepEqual([one.pairs, one.tokens, one.truncated], [21, sum(passages(20)) + 32, 1]);
    assert.deepEqual([two.pairs, two.tokens, two.truncated], [3, sum(passages(3)), 0]);
  });

  it("windows instead of a cut passage", async () => {
    const { run } = start();
    await run.submit(1, ["q"], [long], { maxLength: 32, overflow: "max-passage" });
    const { pairs, tokens: read, truncated } = run.stats.get(1)!;
    assert.deepEqual([pairs, truncated], [1, 0]);
    assert.ok(read! > tokens("q", long));
  });

  it("waiting apart from computing", async () => {
    const { run, session } = start({ batchTokens: 1 });
    session.milliseconds = 10;
    await Promise.all([run.submit(1, ["q"], passages(3)), run.submit(2, ["q"], ["error ".repeat(9)])]);
    const { queueMs, inferenceMs, tokenizeMs } = run.stats.get(2)!;
    assert.ok(queueMs >= 8, `${queueMs} ms behind a batch of another request`);
    assert.ok(inferenceMs >= 8 && tokenizeMs < 10, `${inferenceMs} ms, ${tokenizeMs} ms`);
    assert.ok(run.stats.get(1)!.queueMs < queueMs);
  });
});

describe("Engine out of memory", () => {
  it("halves its budget until a batch fits, and stays there", async () => {
    const { run, session } = start({ batchTokens: 4096 });
    session.check = (batch) => {
      if (padded(batch) > 200) throw new Error("BFCArena::AllocateRawInternal Failed to allocate memory for 123");
    };
    await run.submit(1, ["q"], passages(2000));
    assert.deepEqual(
      run.logits.get(1),
      passages(2000).map((text) => tokens("q", text)),
    );
    const refused = session.batches.filter((batch) => padded(batch) > 200).length;
    assert.ok(refused > 0 && refused < 40, `${refused} of ${session.batches.length} batches were too large`);
    const half = session.batches.slice(session.batches.length / 2);
    assert.ok(half.every((batch) => padded(batch) <= 200));
  });

  it("says so when one pair alone does not fit, and answers everyone else", async () => {
    const { run, session } = start();
    session.check = (batch) => {
      if (batch.length > 100) throw new Error("CUDA error 2: out of memory");
    };
    await Promise.all([
      run.submit(1, ["q"], ["error ".repeat(300), "error"]),
      run.submit(2, ["q"], passages(30)),
      run.submit(3, ["q"], ["error ".repeat(20)]),
    ]);
    hasCode(run.failures.get(1), "OUT_OF_MEMORY", /one pair alone.*maxLength/is);
    assert.deepEqual([...run.failures.keys()], [1]);
    assert.equal(run.logits.get(2)!.length, 30);
    assert.equal(run.logits.get(3)!.length, 1);
  });

  it("knows what out of memory looks like, and what does not", async () => {
    const messages: [string, RerankErrorCode][] = [
      ["std::bad_alloc", "OUT_OF_MEMORY"],
      ["Ran OOM", "OUT_OF_MEMORY"],
      ["Out of memory", "OUT_OF_MEMORY"],
      ["CUDNN_STATUS_ALLOC_FAILED", "OUT_OF_MEMORY"],
      ["Array buffer allocation failed", "OUT_OF_MEMORY"],
      ["VK_ERROR_OUT_OF_DEVICE_MEMORY", "OUT_OF_MEMORY"],
      ["8007000E Not enough memory resources are available to complete this operation.", "OUT_OF_MEMORY"],
      ["no room for this zoom", "DEVICE_UNAVAILABLE"],
      ["device lost", "DEVICE_UNAVAILABLE"],
    ];
    for (const [message, code] of messages) {
      const { run, session } = start();
      session.check = () => {
        throw new Error(message);
      };
      await run.submit(1, ["q"], ["a"]);
      hasCode(run.failures.get(1), code, new RegExp(message));
    }
  });
});

describe("Engine keeps errors where they belong", () => {
  it("isolates a pair that a device cannot run", async () => {
    const { run, session } = start({ batchTokens: 4096 });
    const bad = tokens("q", "error ".repeat(6));
    session.check = (batch) => {
      if (batch.lengths.includes(bad)) throw new Error("kernel failed");
    };
    await Promise.all([
      run.submit(1, ["q"], ["error", "error error"]),
      run.submit(2, ["q"], ["error", "error ".repeat(6)]),
      run.submit(3, ["q"], ["error error error"]),
    ]);
    hasCode(run.failures.get(2), "DEVICE_UNAVAILABLE", /kernel failed/);
    assert.deepEqual([...run.failures.keys()], [2]);
    assert.deepEqual(run.logits.get(1), [tokens("q", "error"), tokens("q", "error error")]);
    assert.equal(run.logits.get(3)!.length, 1);
  });

  it("fails only the request whose logit is not a number", async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const { run, session } = start({ batchTokens: 4096 });
      const odd = tokens("q", "error ".repeat(6));
      session.logit = (batch, row) => (batch.lengths[row] === odd ? bad : batch.lengths[row]!);
      await Promise.all([run.submit(1, ["q"], passages(5)), run.submit(2, ["q"], passages(6))]);
      hasCode(run.failures.get(2), "MODEL_INVALID", new RegExp(`${bad}.*fp32`, "s"));
      assert.deepEqual([...run.failures.keys()], [2]);
      assert.equal(run.logits.get(1)!.length, 5);
      assert.equal(run.log.filter(({ id }) => id === 2).length, 1, "a failure is reported once, and nothing after it");
    }
  });

  it("fails only the request whose pairs cannot be laid out", async () => {
    const { run } = start();
    await Promise.all([
      run.submit(1, ["q"], passages(5)),
      run.submit(2, ["q"], passages(5), { maxLength: 2 }),
      run.submit(3, ["q"], passages(5)),
    ]);
    hasCode(run.failures.get(2), "OPTION_INVALID", /maxLength.*2/s);
    assert.deepEqual([run.logits.get(1)!.length, run.logits.get(3)!.length], [5, 5]);
  });
});

describe("Engine stops", () => {
  it("for good when the model's files are no longer what its sessions have open", async () => {
    let error: Error | undefined;
    let checks = 0;
    const checkFiles = () => {
      checks++;
      if (error) throw error;
    };
    const { run, session } = start({ batchTokens: 50, checkFiles });
    session.milliseconds = 2;
    await run.submit(1, ["q"], passages(200));
    assert.equal(checks, 1, "once a call");
    const under = run.submit(2, ["q"], passages(200));
    error = new Error("overwritten");
    await Promise.all([under, run.submit(3, ["q"], ["error"])]);
    assert.equal(run.stopped, error);
    const batches = session.batches.length;
    await new Promise((resume) => setTimeout(resume, 20));
    assert.ok(session.batches.length <= batches + 1, "no batch begins");
    await run.engine.dispose();
    assert.equal(session.released, 1);
  });

  it("an aborted request after the batch under way, others not at all", async () => {
    const { run, session } = start({ batchTokens: 50 });
    session.milliseconds = 2;
    void run.submit(1, ["q"], passages(1000));
    const other = run.submit(2, ["q"], passages(20));
    await new Promise((resume) => setTimeout(resume, 10));
    run.engine.abort(1);
    const results = run.log.length;
    await other;
    assert.ok(
      run.log.slice(results).every(({ id }) => id === 2),
      "nothing comes of an aborted request",
    );
    const batches = session.batches.length;
    await new Promise((resume) => setTimeout(resume, 20));
    assert.equal(session.batches.length, batches, "and none of its batches runs");
  });

  it("an aborted request's halves are not tried after a failure", async () => {
    const { run, session } = start({ batchTokens: 4096 });
    session.check = () => {
      run.engine.abort(1);
      throw new Error("kernel failed");
    };
    void run.submit(1, ["q"], passages(64));
    await new Promise((resume) => setTimeout(resume, 20));
    assert.equal(session.batches.length, 1);
    assert.equal(run.failures.size, 0);
  });

  it("when disposed: the batch under way finishes, then the session is freed", async () => {
    const { run, session } = start({ batchTokens: 50 });
    session.milliseconds = 5;
    void run.submit(1, ["q"], passages(1000));
    await new Promise((resume) => setTimeout(resume, 12));
    await run.engine.dispose();
    assert.equal(session.released, 1);
    const batches = session.batches.length;
    void run.submit(2, ["q"], passages(3));
    await new Promise((resume) => setTimeout(resume, 20));
    assert.equal(session.batches.length, batches);
  });
});
