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
  charsmap: Uint8Array | undefined;
}

/** UTF-16 units of a text that are normalised at a time. */
const SLICE = 4096;
/** Bytes of normalised text between two looks at which pieces are certain. */
const BLOCK = 2048;
/** No piece has more bytes. */
const LONGEST = 256;
/** Bytes of text whose pieces may stay uncertain; only texts that repeat a few letters come to this. */
const MOST_UNCERTAIN = 1 << 15;

/**
 * SentencePiece's unigram segmentation, id for id: the same float32 sums compared in the same order, so that ties fall
 * the same way. See `EncodeOptimized` in https://github.com/google/sentencepiece/blob/v0.1.97/src/unigram_model.cc
 *
 * A text is read slice by slice, through a window: as soon as the best ways to all places where the next pieces may begin
 * have their first pieces in common, those are certain, and leave the window. So a text costs no more than what is used.
 */
export class Unigram {
  readonly #data: UnigramData;
  readonly #normalizer: Normalizer;
  readonly #encoder = new TextEncoder();
  #input = new Uint8Array(256);
  /** Best way to reach each byte of the window: score, where its last piece starts (-1: unreached) and that piece's id. */
  #score = new Float32Array(0);
  #start = new Int32Array(0);
  #id = new Int32Array(0);
  /** Positions of the window below are set; paths have been extended from all positions below. */
  #set = 0;
  #extended = 0;

  constructor(data: UnigramData) {
    this.#data = data;
    this.#normalizer = new Normalizer(data.charsmap);
  }

  /** Appends the ids of one text to `ids`, about `limit` of them: more is allowed, fewer is not. */
  encode(text: string, ids: number[], limit: number): void {
    const first = ids.length;
    this.#normalizer.start();
    this.#set = this.#extended = 0;
    for (let at = 0, rest = 0; at < text.length && ids.length < limit; ) {
      const slice = text.slice(at, sliceEnd(text, at));
      at += slice.length;
      this.#reserveInput(rest, slice.length);
      const length = rest + this.#encoder.encodeInto(slice, this.#input.subarray(rest)).written;
      const done = this.#normalizer.push(this.#input, length, at === text.length);
      this.#input.copyWithin(0, done, length);
      rest = length - done;
      this.#segment(at === text.length, { ids, first, limit });
    }
  }

  #reserveInput(used: number, units: number): void {
    if (this.#input.length >= used + units * 3) return;
    const grown = new Uint8Array(used + units * 4);
    grown.set(this.#input.subarray(0, used));
    this.#input = grown;
  }

  /** @param last whether the text ends with the window */
  #segment(last: boolean, { ids, first, limit }: { ids: number[]; first: number; limit: number }): void {
    const normalizer = this.#normalizer;
    this.#prepare(normalizer.length);
    while (ids.length < limit) {
      const { output, length } = normalizer;
      // Spaces at the end would go if the text ended here, and of pieces behind them nothing is known yet.
      let end = length;
      if (!last) {
        while (end > 0 && output[end - 1] === 0x20) end--;
        end = charStart(output, end - LONGEST);
      }
      const stop = end - this.#extended > BLOCK ? charStart(output, this.#extended + BLOCK) : end;
      if (stop <= this.#extended) return;
      this.#forward(output, this.#extended, stop, length);
      this.#extended = stop;
      const certain = last && stop === length ? length : this.#meetingPoint(stop, length);
      this.#backtrack(certain, ids, first);
      this.#drop(certain);
    }
  }

  /** Makes room for a window of so many bytes. */
  #prepare(length: number): void {
    if (this.#score.length <= length) {
      const grow = <T extends Float32Array | Int32Array>(old: T, larger: T): T => {
        larger.set(old);
        return larger;
      };
      const size = 2 * length + 1;
      this.#score = grow(this.#score, new Float32Array(size));
      this.#start = grow(this.#start, new Int32Array(size));
      this.#id = grow(this.#id, new Int32Array(size));
    }
    if (this.#set === 0) {
      this.#score[0] = 0;
      this.#set = 1;
    }
    this.#start.fill(-1, this.#set, length + 1);
    this.#set = Math.max(this.#set, length + 1);
  }

  /** The last position that the best ways to all places at or behind `stop` have in common, as far as they are reached. */
  #meetingPoint(stop: number, length: number): number {
    if (stop > MOST_UNCERTAIN) return stop;
    const start = this.#start;
    const end = Math.min(length, stop + LONGEST);
    const onWay = new Uint8Array(end + 1);
    let ways = 0;
    for (let at = stop; at <= end; at++) {
      if (start[at]! < 0) continue;
      onWay[at] = 1;
      ways++;
    }
    for (let at = end; at > 0; at--) {
      if (onWay[at] === 0) continue;
      if (ways === 1) return Math.min(at, stop);
      const before = start[at]!;
      ways -= onWay[before]!;
      onWay[before] = 1;
    }
    return 0;
  }

  /** Takes what is certain out of the window. */
  #drop(count: number): void {
    if (count === 0) return;
    this.#normalizer.drop(count);
    for (const array of [this.#score, this.#start, this.#id]) array.copyWithin(0, count, this.#set);
    this.#set -= count;
    this.#extended -= count;
    const start = this.#start;
    for (let at = 1; at < this.#set; at++) if (start[at]! >= 0) start[at]! -= count;
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

  /** Appends the best way to `end`; unknown characters in a row make one id. The text's ids start at `first`. */
  #backtrack(end: number, ids: number[], first: number): void {
    const { unkId } = this.#data;
    const path: number[] = [];
    for (let at = end; at > 0; at = this.#start[at]!) path.push(this.#id[at]!);
    for (let i = path.length - 1; i >= 0; i--) {
      if (path[i] !== unkId || ids.length === first || ids.at(-1) !== unkId) ids.push(path[i]!);
    }
  }
}

/** Where a slice that starts at `at` ends: never between the halves of a surrogate pair. */
function sliceEnd(text: string, at: number): number {
  const end = at + SLICE;
  if (end >= text.length) return text.length;
  return (text.codePointAt(end - 1) ?? 0) > 0xffff ? end + 1 : end;
}

/** The start of the character that the byte at `at` belongs to. */
function charStart(text: Uint8Array, at: number): number {
  let start = Math.max(0, at);
  while (start > 0 && (text[start]! & 0xc0) === 0x80) start--;
  return start;
}
