import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { type RemoteOptions, remoteReranker } from "../../src/remote/reranker.js";

describe("options of remoteReranker", () => {
  const url = "http://127.0.0.1:9";
  for (const [name, options, message] of [
    ["no options", undefined, /url must be an http or https URL, got undefined/],
    ["no url", {}, /url must be an http or https URL, got undefined/],
    ["a url without scheme", { url: "localhost:8080" }, /got "localhost:8080"/],
    ["another scheme", { url: "ftp://example.org" }, /got "ftp:/],
    ["a password in the url", { url: "http://me:topsecret@127.0.0.1" }, /use apiKey or headers/],
    ["an unknown option", { url, topK: 3 }, /no option "topK"/],
    ["an unknown api", { url, api: "openai" }, /api must be one of .*"cohere", got "openai"/],
    ["kserve, which is not there yet", { url, api: "kserve" }, /not supported yet/],
    ["a timeout of 0", { url, timeout: 0 }, /timeout must be an integer from 1/],
    ["a timeout that overflows a timer", { url, timeout: 2 ** 31 }, /timeout must be/],
    ["negative retries", { url, maxRetries: -1 }, /maxRetries must be an integer from 0 up, got -1/],
    ["a batch of 0", { url, maxBatch: 0 }, /maxBatch must be a positive integer, got 0/],
    ["no concurrency", { url, concurrency: 0 }, /concurrency must be a positive integer/],
    ["an empty key", { url, apiKey: "" }, /apiKey must be a non-empty string/],
    ["unknown scores", { url, scores: "softmax" }, /scores must be one of "sigmoid", "logit", got "softmax"/],
    ["headers that are no object", { url, headers: ["a"] }, /headers must be an object/],
    ["a header that is none", { url, headers: { "x-key": "top\nsecret" } }, /the header "x-key" cannot be sent/],
    ["a header that is no string", { url, headers: { "x-key": { a: "secret" } } }, /the header "x-key" cannot be sent/],
    [
      "a key with a line break",
      { url, apiKey: "top\nsecret" },
      /apiKey cannot be sent: it must be a string of printable/,
    ],
    [
      "a key of the wrong type",
      { url, apiKey: ["secret"] },
      /apiKey must be a non-empty string, got a value of type obj/,
    ],
    [
      "headers with a key in them",
      { url, headers: "x-key: secret" },
      /headers must be an object, got a value of type str/,
    ],
    ["a password in what is no URL", { url: "http://me:top secret@[" }, /without user and password/],
    ["a password without a scheme", { url: "me:secret@host" }, /without user and password/],
  ] as [string, unknown, RegExp][]) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => remoteReranker(options as RemoteOptions),
        (error: Error) => {
          assert.match(error.message, message);
          assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /secret/);
          return "code" in error && error.code === "OPTION_INVALID";
        },
      );
    });
  }

  it("takes a URL object and zero retries", () => {
    remoteReranker({ url: new URL(url), maxRetries: 0, apiKey: undefined });
  });
});
