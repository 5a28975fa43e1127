import assert from "node:assert/strict";
import { type RemoteOptions, remoteReranker } from "../../src/remote/reranker.js";

export const QUERY = "red apple";
export const TEXTS = ["a green pear", "a red apple", "a red car"];
/** What the engines of engine-server.ts give them: none, all and half of the query's words. */
export const LOGITS = [-3, 3, 0];

export const failed = (message: RegExp) => ({ name: "RerankError", code: "REMOTE_FAILED", message });

/** A reranker that gives up at once. */
export const ask = (options: RemoteOptions) => remoteReranker({ maxRetries: 0, ...options });

export function assertClose(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [place, value] of actual.entries()) {
    assert.ok(Math.abs(value - expected[place]!) < 1e-9, `${value} is not ${expected[place]} at ${place}`);
  }
}
