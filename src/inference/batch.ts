import type { EncodedPair } from "./tokenize.js";

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

/** Puts pairs into one rectangle. */
export function makeBatch(pairs: readonly EncodedPair[], padId: number): Batch {
  const lengths = pairs.map((pair) => pair.ids.length);
  const length = lengths.reduce((longest, next) => Math.max(longest, next), 0);
  const ids = new Int32Array(pairs.length * length);
  pairs.forEach((pair, row) => {
    ids.set(pair.ids, row * length);
    ids.fill(padId, row * length + pair.ids.length, (row + 1) * length);
  });
  return { rows: pairs.length, length, ids, lengths, firstSegments: pairs.map((pair) => pair.firstSegment) };
}
