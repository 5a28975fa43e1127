import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hidePasswords, show } from "../src/errors.js";

const cyclic: Record<string, unknown> = {};
cyclic.self = cyclic;
let deep: unknown[] = [];
for (let depth = 0; depth < 100_000; depth++) deep = [deep];
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const thrower = () => {
  throw new Error("no");
};

describe("show", () => {
  for (const [name, value, expected] of [
    ["a string", "text", '"text"'],
    ["a number that JSON does not know", Number.NaN, "NaN"],
    ["nothing", undefined, "undefined"],
    ["null", null, "null"],
    ["a bigint", 7n, "7n"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["a function", thrower, "a function"],
    ["an object", { body: "x" }, '{"body":"x"}'],
    ["a cyclic object", cyclic, "an object"],
    ["a deep array", deep, "an array"],
    ["a bigint inside", [7n], "an array"],
    ["an object without a prototype that throws", Object.assign(Object.create(null), { toJSON: thrower }), "an object"],
    ["a revoked proxy", revoked.proxy, "an object"],
    ["an object whose members throw", Object.defineProperty({}, "a", { get: thrower, enumerable: true }), "an object"],
    ["an object that hides itself", { toJSON: () => undefined, toString: thrower }, "an object"],
    ["a long string", "x".repeat(100), `"${"x".repeat(78)}…`],
  ] as [string, unknown, string][]) {
    it(`prints ${name}`, () => assert.equal(show(value), expected));
  }

  it("takes no time for what is long", () => {
    const start = process.cpuUsage();
    show("a.".repeat(2 ** 24));
    assert.ok(process.cpuUsage(start).user < 500_000);
  });

  it("hides passwords, also where the text is cut", () => {
    const long = `http://me:${"secret".repeat(30)}@host/`;
    for (const value of [long, { url: long }, [long]]) assert.doesNotMatch(show(value), /secret/);
  });
});

describe("hidePasswords", () => {
  for (const [text, expected] of [
    ["no URL, me@example.org", "no URL, me@example.org"],
    ["at https://hub.example/@scope/name.", "at https://hub.example/@scope/name."],
    ["at http://host:8080/a@b", "at http://host:8080/a@b"],
    ["at http://me:secret@host/path", "at http://***@host/path"],
    ["at http://token@host", "at http://***@host"],
    ["at http://me:se/cr@et@host", "at http://***@host"],
    ['{"a":"ftp://me:secret@host","b":"http://x:secret@y"}', '{"a":"ftp://***@host","b":"http://***@y"}'],
  ] as const) {
    it(text, () => assert.equal(hidePasswords(text), expected));
  }
});
