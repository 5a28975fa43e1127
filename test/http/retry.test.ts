import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Retriable, type RetryOptions, reason, retryAfter, withRetries } from "../../src/http/retry.js";

const quick: RetryOptions = { signal: undefined, attempts: 3, firstWait: 1, longestWait: 1000 };

/** An attempt that goes through the given outcomes and counts. */
function script(...outcomes: (Error | string)[]) {
  const attempt = async () => {
    const outcome = outcomes[attempt.count++]!;
    if (typeof outcome === "string") return outcome;
    throw outcome;
  };
  attempt.count = 0;
  return attempt;
}

describe("withRetries", () => {
  const broken = new Retriable("broken");

  it("tries again after what another attempt may mend, and only then", async () => {
    assert.equal(await withRetries(script(broken, broken, "done"), quick), "done");
    const refused = script(broken, new Error("refused"), "done");
    await assert.rejects(withRetries(refused, quick), /refused/);
    assert.equal(refused.count, 2);
  });

  it("gives up with the last failure", async () => {
    const last = new Retriable("the third");
    await assert.rejects(withRetries(script(broken, broken, last, "done"), quick), (error) => error === last);
  });

  it("counts anew after progress, but not after progress that was too slow", async () => {
    let reached = 0;
    const progress = () => ++reached;
    const five = [broken, broken, broken, broken, "done"];
    assert.equal(await withRetries(script(...five), { ...quick, progress }), "done");
    const slow = new Retriable("slow", { tooSlow: true });
    const attempt = script(slow, slow, slow, "done");
    await assert.rejects(withRetries(attempt, { ...quick, progress }), /slow/);
    assert.equal(attempt.count, 3);
  });

  it("waits as long as it is asked to, and not at all where that is too long", async () => {
    const start = performance.now();
    await withRetries(script(new Retriable("busy", { retryAfter: 100 }), "done"), quick);
    assert.ok(performance.now() - start >= 99);
    const attempt = script(new Retriable("busy", { retryAfter: 1001 }), "done");
    await assert.rejects(withRetries(attempt, quick), /busy/);
    assert.equal(attempt.count, 1);
  });

  it("is stopped while it waits", async () => {
    const controller = new AbortController();
    const attempt = script(new Retriable("busy", { retryAfter: 900 }), "done");
    const call = withRetries(attempt, { ...quick, signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    await assert.rejects(call, { code: "ABORTED" });
    assert.equal(attempt.count, 1);
  });
});

describe("retryAfter", () => {
  const of = (value?: string) => retryAfter(new Headers(value === undefined ? {} : { "retry-after": value }));

  it("reads seconds and dates", () => {
    assert.deepEqual([of("2"), of("0.5"), of(" 7 ")], [2000, 500, 7000]);
    const inAMinute = of(new Date(Date.now() + 60_000).toUTCString())!;
    assert.ok(inAMinute > 58_000 && inAMinute <= 60_000, String(inAMinute));
    assert.equal(of("Wed, 21 Oct 2015 07:28:00 GMT"), 0);
  });

  it("ignores anything else", () => {
    assert.deepEqual([of(), of(""), of("soon")], [undefined, undefined, undefined]);
  });
});

describe("reason", () => {
  it("looks behind fetch's own error, also where several addresses were tried", async () => {
    assert.equal(reason(new TypeError("fetch failed", { cause: new Error("other side closed") })), "other side closed");
    const refused = Object.assign(new AggregateError([]), { code: "ECONNREFUSED" });
    assert.equal(reason(new TypeError("fetch failed", { cause: refused })), "ECONNREFUSED");
    assert.equal(reason(new Error("plain")), "plain");
    assert.equal(reason("text"), "text");
  });
});
