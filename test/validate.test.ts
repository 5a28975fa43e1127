import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rerankerOptionChecks } from "../src/rerankers/option-checks.js";
import {
  checkOptions,
  checkPairs,
  checkPassages,
  checkQuery,
  checkRetrieval,
  documentTexts,
  isOnePair,
  rankOptionChecks,
  scoreOptionChecks,
} from "../src/validate.js";

const invalidOption = (message: RegExp) => ({ name: "RerankError", code: "OPTION_INVALID", message });
const invalidInput = (message: RegExp) => ({ name: "RerankError", code: "INPUT_INVALID", message });

describe("checkOptions", () => {
  it("accepts what is documented, and undefined for not given", () => {
    checkOptions("rank", undefined, rankOptionChecks);
    checkOptions("rank", {}, rankOptionChecks);
    checkOptions("rank", { topN: 1, scoreThreshold: -3.5, normalize: false }, rankOptionChecks);
    checkOptions("rank", { signal: new AbortController().signal, onProgress: () => {} }, rankOptionChecks);
    checkOptions("rank", { topN: undefined, signal: undefined }, rankOptionChecks);
  });

  it("refuses unknown names and lists the known ones", () => {
    assert.throws(() => checkOptions("rank", { topK: 3 }, rankOptionChecks), invalidOption(/"topK".*topN/));
    assert.throws(() => checkOptions("score", { topN: 3 }, scoreOptionChecks), invalidOption(/"topN"/));
    assert.throws(() => checkOptions("rank", { constructor: 1 }, rankOptionChecks), invalidOption(/"constructor"/));
  });

  it("refuses what is no options object", () => {
    for (const bad of [null, 3, "topN", [3]]) {
      assert.throws(() => checkOptions("rank", bad, rankOptionChecks), invalidOption(/takes an object/));
    }
  });

  for (const [name, values] of Object.entries({
    topN: [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "3", null],
    scoreThreshold: [Number.NaN, Number.NEGATIVE_INFINITY, "0.5", null],
    normalize: ["yes", 1, null],
    signal: [{}, true, new AbortController()],
    timeout: [0, -1, 1.5, 2 ** 31, Number.POSITIVE_INFINITY, "100", null],
    onProgress: ["log", {}],
    onStats: ["log", {}],
    retrievalWeight: [-0.1, 1.1, Number.NaN, "0.5", null],
    calibration: [3, "", true, null],
  })) {
    it(`refuses wrong values of ${name} and echoes them`, () => {
      for (const value of values) {
        assert.throws(
          () => checkOptions("rank", { [name]: value }, rankOptionChecks),
          (error: Error) => {
            assert.match(error.message, new RegExp(`rank: ${name} must be .*, got `));
            if (typeof value !== "object") assert.ok(error.message.includes(String(value)), error.message);
            return "code" in error && error.code === "OPTION_INVALID";
          },
        );
      }
    });
  }
});

describe("rerankerOptionChecks", () => {
  it("accepts documented values", () => {
    for (const device of ["auto", "cpu", "cuda:1", "webgpu", "dml:0", "coreml"]) {
      checkOptions("loadReranker", { device }, rerankerOptionChecks);
    }
    checkOptions("loadReranker", { dtype: "int8", overflow: "max-passage", maxLength: 128 }, rerankerOptionChecks);
  });

  it("refuses others and names the choices", () => {
    for (const device of ["gpu", "auto:1", "cuda:", "cuda:-1", "CPU", 0, ["cpu"]]) {
      assert.throws(
        () => checkOptions("loadReranker", { device }, rerankerOptionChecks),
        invalidOption(/device must be .*webgpu/),
      );
    }
    assert.throws(
      () => checkOptions("loadReranker", { dtype: "q8" }, rerankerOptionChecks),
      invalidOption(/dtype must be one of .*"int8", got "q8"/),
    );
    assert.throws(() => checkOptions("loadReranker", { overflow: true }, rerankerOptionChecks), invalidOption(/true/));
  });
});

describe("input checks", () => {
  it("accepts strings, empty ones too", () => {
    checkQuery("");
    checkPassages([]);
    checkPassages(["", "a"]);
    checkPairs([["", ""]]);
    assert.deepEqual(documentTexts(["a", { text: "b" }]), ["a", "b"]);
  });

  it("refuses a query that is no string", () => {
    assert.throws(() => checkQuery(undefined), invalidInput(/undefined/));
    assert.throws(() => checkQuery(["q"]), invalidInput(/\["q"\]/));
  });

  it("names the bad passage", () => {
    assert.throws(() => checkPassages("text"), invalidInput(/array, got "text"/));
    assert.throws(() => checkPassages(["a", 7]), invalidInput(/Passage 1 .*got 7/));
    assert.throws(() => checkPassages(new Array(1)), invalidInput(/Passage 0 .*undefined/), "holes count");
  });

  it("names the bad document", () => {
    const bad: unknown[] = [{ pageContent: "x" }, { text: 3 }, null];
    for (const document of bad) {
      assert.throws(() => documentTexts(["a", document as string]), invalidInput(/Document 1/));
    }
  });

  it("names the bad pair", () => {
    const bad: unknown[] = [["q"], ["q", "p", "x"], ["q", 1], "qp"];
    for (const pair of bad) assert.throws(() => checkPairs([["q", "p"], pair]), invalidInput(/Pair 1/));
    assert.throws(() => checkPairs("qp"), invalidInput(/array/));
  });

  it("tells one pair from a list of pairs", () => {
    assert.equal(isOnePair(["q", "p"]), true);
    assert.equal(isOnePair([["q", "p"]]), false);
    assert.equal(isOnePair([]), false);
  });

  it("takes one finite retrieval score for each document, and no weight without them", () => {
    checkRetrieval({}, 2);
    checkRetrieval({ retrievalScores: [0.5, -3], retrievalWeight: 0 }, 2);
    checkRetrieval({ retrievalScores: [] }, 0);
    const bad: unknown[] = [
      [1],
      [1, 2, 3],
      [1, Number.NaN],
      [1, Number.POSITIVE_INFINITY],
      [1, "2"],
      "12",
      new Array(2),
    ];
    for (const retrievalScores of bad) {
      assert.throws(
        () => checkRetrieval({ retrievalScores: retrievalScores as number[] }, 2),
        invalidInput(/etrieval/),
      );
    }
    assert.throws(() => checkRetrieval({ retrievalWeight: 0.5 }, 2), invalidOption(/retrievalScores/));
  });
});
