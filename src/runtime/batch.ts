import { RerankError } from "../errors.js";
import type { EncodedPair } from "../tokenizer/tokenizer.js";

/** Rows of one inference run, padded on the right to the longest. */
export interface Batch {
  rows: number;
  /** tokens of the longest row */
  length: number;
  /** [rows * length] */
  ids: Int32Array<ArrayBuffer>;
  /** tokens of each row, special tokens included */
  lengths: number[];
  /** position from which `token_type_ids` are 1, for each row */
  firstSegments: number[];
}

/**
 * Puts pairs into one rectangle.
 * @param vocab rows of the model's embedding table, as far as they are known; a GPU would read beyond them without a word
 * @throws RerankError `MODEL_INVALID` for a token id that is not among them
 */
export function makeBatch(pairs: readonly EncodedPair[], padId: number, vocab = Number.POSITIVE_INFINITY): Batch {
  const lengths = pairs.map((pair) => pair.ids.length);
  const length = lengths.reduce((longest, next) => Math.max(longest, next), 0);
  const ids = new Int32Array(pairs.length * length);
  pairs.forEach((pair, row) => {
    ids.set(pair.ids, row * length);
    ids.fill(padId, row * length + pair.ids.length, (row + 1) * length);
  });
  for (const id of ids) if (id < 0 || id >= vocab) throw foreignToken(id, vocab);
  return { rows: pairs.length, length, ids, lengths, firstSegments: pairs.map((pair) => pair.firstSegment) };
}

function foreignToken(id: number, vocab: number): RerankError {
  return new RerankError(
    "MODEL_INVALID",
    `The tokenizer gave the token id ${id}, but the model knows ${vocab} tokens: its tokenizer.json and weights do not belong together. Fetch both from the same place.`,
  );
}
