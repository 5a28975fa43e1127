import assert from "node:assert/strict";
import { RerankError, type RerankErrorCode } from "../../src/errors.js";

/** For `assert.rejects` and `assert.throws`: our error, with this code, and these words in its message. */
export function failsWith(code: RerankErrorCode, ...said: (string | RegExp)[]) {
  return (error: unknown): true => {
    assert.ok(error instanceof RerankError, error instanceof Error ? error.stack : String(error));
    assert.equal(error.code, code, error.message);
    for (const words of said) {
      const found = typeof words === "string" ? error.message.includes(words) : words.test(error.message);
      assert.ok(found, `"${error.message}" should say ${words}`);
    }
    return true;
  };
}
