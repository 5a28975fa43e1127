import { charLength, Normalizer } from "./normalizer.js";
import type { Trie } from "./trie.js";

/** A unigram model ready to run: typed arrays only, so that it can be written to a file and mapped back. */
export interface UnigramData {
  /** Piece to id; pieces are UTF-8 with a space for U+2581. */
  trie: Trie;
  /** Log probability by id. */
  scores: Float32Array;
  unkId: number;
  /** SentencePiece's penalty for an unknown character: 10 below the worst piece. */
  unkScore: number;
  /** No piece has a space but at its start, so every segmentation has a cut before each space. */
  wordwise: boolean;
  charsmap: Uint8Array | undefined;
}

/** Bytes of text between two looks at whether enough ids are there. */
const FLUSH = 2048;
/** Working memory for longer texts is not kept. */
const KEEP = 1 << 18;

/**
 * SentencePiece's unigram segmentation, id for id: the same float32 sums compared in the same order, so that ties fall
 * the same way. See `EncodeOptimized` in https://github.com/google/sentencepiece/blob/v0.1.97/src/unigram_model.cc
 */
export class Unigram {
  readonly #data: UnigramData;
  readonly #normalizer: Normalizer;
  readonly #encoder = new TextEncoder();
  #input = new Uint8Array(256);
  /** Best way to reach each byte position: score, where its last piece starts (-1: unreached) and that piece's id. */
  #score = new Float32Array(0);
  #start = new Int32Array(0);
  #id = new Int32Array(0);

  constructor(data: UnigramData) {
    this.#data = data;
    this.#normalizer = new Normalizer(data.charsmap);
  }

  /** Appends the ids of one text to `ids`, about `limit` of them: more is allowed, fewer is not. */
  encode(text: string, ids: number[], limit: number): void {
    if (this.#input.length < text.length * 3) this.#input = new Uint8Array(text.length * 4);
    const { written } = this.#encoder.encodeInto(text, this.#input);
    const length = this.#normalizer.run(this.#input, written);
    if (length > 0) this.#segment(this.#normalizer.output, length, ids, limit);
    if (this.#input.length > KEEP) {
      this.#input = new Uint8Array(256);
      this.#normalizer.output = new Uint8Array(256);
      this.#score = new Float32Array(0);
      this.#start = this.#id = new Int32Array(0);
    }
  }

  #segment(text: Uint8Array, length: number, ids: number[], limit: number): void {
    if (this.#score.length <= length) {
      this.#score = new Float32Array(2 * length + 1);
      this.#start = new Int32Array(2 * length + 1);
      this.#id = new Int32Array(2 * length + 1);
    }
    this.#start.fill(-1, 0, length + 1);
    this.#score[0] = 0;
    const first = ids.length;
    let done = 0;
    while (done < length) {
      const stop = this.#data.wordwise ? nextWord(text, Math.min(done + FLUSH, length), length) : length;
      this.#forward(text, done, stop, length);
      this.#backtrack(done, stop, ids, first);
      if (ids.length >= limit) return;
      done = stop;
    }
  }

  /** Extends the best paths from every position in [from, to). */
  #forward(text: Uint8Array, from: number, to: number, length: number): void {
    const { trie, scores, unkId, unkScore } = this.#data;
    const [score, start, id] = [this.#score, this.#start, this.#id];
    const root = trie[0]!;
    for (let at = from; at < to; ) {
      const here = score[at]!;
      const next = at + charLength(text[at]!);
      let base = root;
      let coversChar = false;
      for (let end = at; end < length && base !== 0; ) {
        const byte = text[end++]!;
        const cell = (base ^ byte) << 1;
        const check = trie[cell + 1]!;
        if ((check & 0xff) !== byte) break;
        base = trie[cell]!;
        if (check <= 0xff) continue;
        const piece = (check >> 8) - 1;
        // a double, compared with what was rounded to float32 when it was kept: as in C++
        const candidate = scores[piece]! + here;
        if (start[end]! < 0 || candidate > score[end]!) {
          score[end] = candidate;
          start[end] = at;
          id[end] = piece;
        }
        if (end === next) coversChar = true;
      }
      if (!coversChar) {
        const candidate = Math.fround(unkScore + here);
        if (start[next]! < 0 || candidate > score[next]!) {
          score[next] = candidate;
          start[next] = at;
          id[next] = unkId;
        }
      }
      at = next;
    }
  }

  /** Appends the best path from `from` to `to`; unknown characters in a row make one id. The text's ids start at `first`. */
  #backtrack(from: number, to: number, ids: number[], first: number): void {
    const { unkId } = this.#data;
    const path: number[] = [];
    for (let end = to; end > from; end = this.#start[end]!) path.push(this.#id[end]!);
    for (let i = path.length - 1; i >= 0; i--) {
      if (path[i] !== unkId || ids.length === first || ids.at(-1) !== unkId) ids.push(path[i]!);
    }
  }
}

/** The first space at or after `at`, or the end. */
function nextWord(text: Uint8Array, at: number, length: number): number {
  let i = at;
  while (i < length && text[i] !== 0x20) i++;
  return i;
}
