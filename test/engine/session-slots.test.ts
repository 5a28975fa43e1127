import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { LoadedModel } from "../../src/engine/loaded-model.js";
import type { PairTokenizer } from "../../src/tokenizer/tokenizer.js";
import { EngineRun, FakeSession, loadedModel, openTokenizer } from "../support/engine.js";
import { fixture } from "../support/paths.js";

let tokenizer: PairTokenizer;
before(async () => {
  tokenizer = await openTokenizer(fixture("models/bert"));
});

function slowSession(): FakeSession {
  const session = new FakeSession();
  session.milliseconds = 20;
  return session;
}

/** An engine with as many sessions as `workers` allows, each busy for 20 ms with a batch of one pair. */
function start(workers: number, more: Partial<LoadedModel> = {}) {
  const sessions = [slowSession()];
  const openAnother = async () => {
    sessions.push(slowSession());
    return sessions.at(-1)!;
  };
  const session = sessions[0]!;
  return {
    sessions,
    run: new EngineRun(loadedModel({ session, tokenizer, batchTokens: 1, workers, openAnother, ...more })),
  };
}

const passages = (count: number) => Array.from({ length: count }, (_, i) => "error ".repeat(1 + (i % 7)));

// Side by side, since they mostly wait.
describe("An engine with several sessions", { concurrency: true }, () => {
  it("shares long work among them, each answer in its place", async () => {
    const { run, sessions } = start(3);
    const texts = passages(60);
    await run.submit(1, ["q"], texts);
    const expected = texts.map((text) => tokenizer.pair(tokenizer.encode("q"), tokenizer.encode(text), 512).ids.length);
    assert.deepEqual(run.logits.get(1), expected);
    assert.equal(sessions.length, 3);
    for (const { batches } of sessions) assert.ok(batches.length >= 10, `${batches.length} of 60 batches`);
  });

  it("opens no other for work that is soon done, or when one is the limit", async () => {
    const short = start(3);
    await short.run.submit(1, ["q"], passages(3));
    assert.equal(short.sessions.length, 1);
    const single = start(1);
    await single.run.submit(1, ["q"], passages(20));
    assert.equal(single.sessions.length, 1);
  });

  it("goes on with what it has when another cannot be opened, and says so once", async () => {
    const openAnother = () => Promise.reject(new Error("no thread left"));
    const { run } = start(3, { openAnother });
    await run.submit(1, ["q"], passages(20));
    await run.submit(2, ["q"], passages(20));
    assert.equal(run.logits.get(2)!.length, 20);
    assert.equal(run.warnings.length, 1);
    assert.match(run.warnings[0]!, /start another session: no thread left/);
  });

  it("does not hang when its only session, on all cores, stays alone", { timeout: 20_000 }, async () => {
    const openAnother = () => Promise.reject(new Error("the model's folder is gone"));
    const { run, sessions } = start(2, { allCores: true, openAnother });
    for (const id of [1, 2, 3]) await run.submit(id, ["q"], passages(10));
    assert.equal(sessions[0]!.batches.length, 30);
    assert.equal(run.warnings.length, 1);
  });

  it("goes on with its only session while the next one opens", async () => {
    let opened = (_: FakeSession) => {};
    const openAnother = () => new Promise<FakeSession>((resolve) => (opened = resolve));
    const { run, sessions } = start(1, { allCores: true, openAnother });
    await run.submit(1, ["q"], passages(10));
    await run.submit(2, ["q"], passages(10));
    assert.equal(sessions[0]!.batches.length, 20, "nothing waited for the other");
    opened(slowSession());
  });

  it("leaves the one on all cores to lone pairs once the others are there", async () => {
    const { run, sessions } = start(2, { allCores: true });
    await run.submit(1, ["q"], passages(60));
    assert.equal(sessions.length, 3);
    const before = sessions[0]!.batches.length;
    await run.submit(2, ["q"], passages(30));
    assert.equal(sessions[0]!.batches.length, before);
    await new Promise((resume) => setImmediate(resume));
    await run.submit(3, ["q"], passages(1));
    assert.equal(sessions[0]!.batches.length, before + 1);
  });

  it("replaces a draft after some work, while the others go on", async () => {
    const upgraded = slowSession();
    const { run, sessions } = start(2, { upgrade: async () => upgraded });
    await run.submit(1, ["q"], passages(100));
    await run.submit(2, ["q"], passages(10));
    assert.equal(run.logits.get(1)!.length, 100);
    assert.ok(upgraded.batches.length > 5 && sessions[1]!.batches.length > 5);
    const draft = sessions[0]!.batches.length;
    await run.submit(3, ["q"], passages(10));
    assert.equal(sessions[0]!.batches.length, draft, "the draft is out of use");
  });

  it("stays with the draft when it cannot be replaced, and says so", async () => {
    const { run, sessions } = start(1, { upgrade: () => Promise.reject(new Error("disk full")) });
    await run.submit(1, ["q"], passages(20));
    await run.submit(2, ["q"], passages(20));
    assert.equal(sessions[0]!.batches.length, 40);
    assert.deepEqual(run.warnings, ["Could not pack the weights: disk full"]);
  });

  it("frees all of them when disposed, and the one that is being opened", async () => {
    const late = slowSession();
    let opening = false;
    const openAnother = async () => {
      opening = true;
      await new Promise((resume) => setTimeout(resume, 30));
      return late;
    };
    const { run, sessions } = start(2, { openAnother });
    void run.submit(1, ["q"], passages(1000));
    while (!opening) await new Promise((resume) => setTimeout(resume, 5));
    await run.engine.dispose();
    assert.deepEqual([sessions[0]!.released, late.released], [1, 1]);
  });
});
