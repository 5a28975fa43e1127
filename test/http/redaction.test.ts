import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { RerankError } from "../../src/errors.js";
import { redaction } from "../../src/http/redaction.js";

const SECRET = "p/ss word";
const { text, clean } = redaction([SECRET, "word-two", undefined, "", "abc"]);

describe("redaction", () => {
  it("replaces secrets as they are, in URLs and in JSON, and passwords of any URL", () => {
    assert.equal(text(`a ${SECRET} b p%2Fss%20word c word-two`), "a *** b *** c ***");
    assert.equal(redaction(['a"bcd']).text(JSON.stringify({ token: 'a"bcd' })), '{"token":"***"}');
    assert.equal(text("http://me:x@host/"), "http://***@host/");
  });

  it("leaves ordinary words alone, though somebody's key may be one of three letters", () => {
    assert.equal(text("abc"), "abc");
  });

  it("cleans an error with all its causes: message, stack, members", () => {
    const inner = Object.assign(new TypeError(`bad value ${SECRET}`), { input: SECRET, self: {} as unknown });
    inner.self = inner;
    const many = new AggregateError([new Error(SECRET)], "several");
    const given = new RerankError("REMOTE_FAILED", `said ${SECRET}`, { cause: { error: [SECRET], inner, many } });
    assert.equal(clean(given), given);
    assert.equal(given.message, "said ***");
    assert.doesNotMatch(inspect(given, { depth: 10, showHidden: true }), /p\/ss word/);
    assert.doesNotMatch(given.stack!, /p\/ss word/);
  });

  it("copes with what is nested without end", () => {
    let deep: unknown = SECRET;
    for (let depth = 0; depth < 100_000; depth++) deep = [deep];
    assert.doesNotMatch(JSON.stringify(clean(deep)), /p.ss word/);
  });

  it("leaves an abort's reason as it is, and whatever is no error", () => {
    const reason = Object.freeze({ why: SECRET });
    const aborted = new RerankError("ABORTED", "stopped", { cause: reason });
    assert.equal(clean(aborted).cause, reason);
    assert.equal(clean(undefined), undefined);
    assert.equal(clean(SECRET), "***");
  });
});
