import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { withinLimits } from "../../src/rerankers/limits.js";
import { failsWith } from "../support/errors.js";

const never = () => new Promise<never>(() => {});

describe("withinLimits", () => {
  it("turns a fired signal into ABORTED with the reason as cause, before any work", async () => {
    const reason = new Error("enough");
    const call = withinLimits({ signal: AbortSignal.abort(reason) }, () => assert.fail("work has begun"));
    await assert.rejects(call, (error: Error) => failsWith("ABORTED")(error) && error.cause === reason);
  });

  it("waits for no work that goes on, and tells it why", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    let seen: AbortSignal | undefined;
    const call = withinLimits({ timeout: 3000 }, (signal) => {
      seen = signal;
      return never();
    });
    t.mock.timers.tick(2999);
    assert.equal(seen!.aborted, false);
    t.mock.timers.tick(1);
    await assert.rejects(call, failsWith("TIMEOUT", "3000 ms"));
    failsWith("TIMEOUT")(seen!.reason);
  });

  it("leaves neither a listener nor a timer behind", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { signal } = new AbortController();
    let inner: AbortSignal | undefined;
    const work = async (signal: AbortSignal | undefined) => {
      inner = signal;
      return 7;
    };
    assert.equal(await withinLimits({ signal, timeout: 10 }, work), 7);
    t.mock.timers.tick(10);
    assert.equal(inner!.aborted, false);
    assert.deepEqual(getEventListeners(signal, "abort"), []);
    assert.equal(await withinLimits({}, async (signal) => signal), undefined);
  });

  it("lets the work's own error through", async () => {
    await assert.rejects(
      withinLimits({ timeout: 1000 }, () => Promise.reject(new Error("broken"))),
      /broken/,
    );
  });
});
