import assert from "node:assert/strict";
import { it } from "node:test";
import { engineOptions } from "../../src/rerankers/engine-options.js";
import { rerankerOptionChecks } from "../../src/rerankers/option-checks.js";
import type { RerankerOptions } from "../../src/types.js";

it("every option of a reranker is the engine's, but those that rerankers with one engine may have for themselves", () => {
  const names = Object.keys(rerankerOptionChecks);
  const engines = Object.keys(engineOptions({}));
  assert.deepEqual(
    names.filter((name) => !engines.includes(name)),
    ["maxLength", "queryMaxLength", "queryInstruction", "passageInstruction", "overflow", "onProgress"],
  );
  for (const name of engines) {
    const options = engineOptions({ [name]: "other" } as RerankerOptions);
    assert.notDeepEqual(options, engineOptions({}), `${name} makes another engine`);
  }
});

it("a default that is given makes no other engine", () => {
  const given: RerankerOptions = { device: "auto", dtype: "auto", worker: true, workers: undefined };
  assert.deepEqual(engineOptions(given), engineOptions({}));
});
