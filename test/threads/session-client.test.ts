import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import type { GraphModel } from "../../src/graph/graph-model.js";
import { makeBatch } from "../../src/runtime/batch.js";
import { sessionThread } from "../../src/threads/session-client.js";
import { acquireThread } from "../../src/threads/thread-pool.js";
import { editModel, useOwnCache } from "../support/checkpoint.js";
import { openGraph, openTokenizer } from "../support/engine.js";
import { fixture } from "../support/paths.js";

useOwnCache();
const CPU = { name: "cpu", index: 0 } as const;

describe("a session in a thread of its own", () => {
  it("is replaced by the next that is opened, and stays when that cannot be", async () => {
    const tokenizer = await openTokenizer(fixture("models/bert"));
    const pair = tokenizer.pair(tokenizer.encode("server"), tokenizer.encode("error"), 64);
    const batch = () => makeBatch([pair], tokenizer.padId);
    const model = await openGraph(fixture("models/bert"), false);
    const { port, released } = acquireThread((cause) => assert.fail(String(cause)));
    const open = sessionThread(port);
    const first = await open(model, CPU, { draft: true });
    const [logit] = Array.from(await first.run(batch()));
    const broken: GraphModel = { parts: [{ graph: Uint8Array.of(1, 2, 3) }], padded: false };
    await assert.rejects(open(broken, CPU));
    assert.deepEqual(Array.from(await first.run(batch())), [logit]);
    const second = await open(model, CPU);
    assert.ok(Math.abs((await second.run(batch()))[0]! - logit!) < 1e-5);
    await second.release();
    const alive = setInterval(() => {}, 1000); // the thread does not keep a process so
    port.close();
    await released;
    clearInterval(alive);
  });

  it("that has lost it ends, and says why", async (t) => {
    const folder = editModel(t, "bert", {});
    const model = await openGraph(folder, false);
    let lost: (cause: unknown) => void = () => {};
    const cause = new Promise((resolve) => {
      lost = resolve;
    });
    const alive = setInterval(() => {}, 1000);
    const open = sessionThread(acquireThread(lost).port);
    await open(model, CPU, { draft: true });
    rmSync(folder, { recursive: true });
    await assert.rejects(open(model, CPU));
    assert.match(String(await cause), /safetensors/);
    clearInterval(alive);
  });
});
