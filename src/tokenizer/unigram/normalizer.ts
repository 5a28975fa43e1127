import { RerankError } from "../../errors.js";

/**
 * SentencePiece's text normaliser, bit for bit: replaces the longest prefix that has a rule, again and again, and puts
 * white space in order (none at the ends, one between words, one in front).
 *
 * A precompiled charsmap is `<size of trie><trie: darts-clone double array><replacements, each ended by NUL>`; see
 * https://github.com/google/sentencepiece/blob/master/src/normalizer.cc and
 * https://github.com/s-yata/darts-clone/blob/master/include/darts.h
 */
export class Normalizer {
  /** UTF-8 of what has been normalised, a space where SentencePiece writes U+2581. Valid up to `length`. */
  output = new Uint8Array(256);
  length = 0;
  readonly #units: Uint32Array;
  readonly #replacements: Uint8Array;
  /** 1 where an ASCII byte followed by another ASCII byte has no rule. */
  readonly #plain = new Uint8Array(128);
  /** Where the last rule found has its replacement, and whether more input might have led to a longer one. */
  #found = 0;
  #undecided = false;
  #afterSpace = true;

  /** `charsmap`: the bytes of `precompiled_charsmap`; none leaves every character as it is. */
  constructor(charsmap: Uint8Array | undefined) {
    [this.#units, this.#replacements] = charsmap ? split(charsmap) : [new Uint32Array(0), new Uint8Array(0)];
    for (let byte = 0; byte < 128; byte++) this.#plain[byte] = this.#isPlain(byte) ? 1 : 0;
  }

  /** Begins a text. */
  start(): void {
    this.output[0] = 0x20;
    this.length = 1;
    this.#afterSpace = true;
  }

  /**
   * Normalises the next piece of a text, `input[0, length)`, which must be valid UTF-8, to the end of `output`.
   * @param last whether the text ends there
   * @returns how many bytes of it are done; the rest must be the start of the next piece
   */
  push(input: Uint8Array, length: number, last: boolean): number {
    // room for the input as it is; replacements ask for more
    this.#reserve(length);
    let out = this.output;
    const plain = this.#plain;
    let o = this.length;
    let i = 0;
    let afterSpace = this.#afterSpace;
    while (i < length) {
      const byte = input[i]!;
      if (!last && i + 1 === length) break;
      if (byte < 0x80 && plain[byte] === 1 && (i + 1 === length || input[i + 1]! < 0x80)) {
        i++;
        if (byte !== 0x20 || !afterSpace) out[o++] = byte;
        afterSpace = byte === 0x20;
        continue;
      }
      const matched = this.#match(input, i, length);
      if (!last && this.#undecided) break;
      if (matched > 0) {
        i += matched;
        const end = this.#copy(o, afterSpace, length - i);
        out = this.output;
        // an empty replacement leaves the state before it
        if (end > o) afterSpace = out[end - 1] === 0x20;
        o = end;
      } else if (byte === 0x20) {
        if (!afterSpace) out[o++] = 0x20;
        afterSpace = true;
        i++;
      } else {
        // a match ends inside a character only where the charsmap is damaged
        const size = Math.min(charLength(byte), length - i);
        if (size === 3 && byte === 0xe2 && input[i + 1] === 0x96 && input[i + 2] === 0x81) {
          out[o++] = 0x20; // a U+2581 of the text's own; SentencePiece does not count it as a space here
        } else {
          for (let k = 0; k < size; k++) out[o++] = input[i + k]!;
        }
        afterSpace = false;
        i += size;
      }
    }
    if (last) while (o > 0 && out[o - 1] === 0x20) o--;
    this.length = o;
    this.#afterSpace = afterSpace;
    return i;
  }

  /** Forgets the first bytes of the output. */
  drop(count: number): void {
    this.output.copyWithin(0, count, this.length);
    this.length -= count;
  }

  /** Copies the replacement found last to `output[o...]`, without leading spaces after a space; returns the new end. */
  #copy(o: number, afterSpace: boolean, rest: number): number {
    const from = this.#replacements;
    let start = this.#found;
    let end = start;
    while (end < from.length && from[end] !== 0) end++;
    if (afterSpace) while (start < end && from[start] === 0x20) start++;
    this.length = o;
    this.#reserve(end - start + rest);
    for (let k = start; k < end; k++) this.output[o++] = from[k]!;
    return o;
  }

  /** Makes room for so many bytes behind those that are there. */
  #reserve(bytes: number): void {
    if (this.output.length >= this.length + bytes) return;
    const grown = new Uint8Array(2 * (this.length + bytes));
    grown.set(this.output.subarray(0, this.length));
    this.output = grown;
  }

  /** Length of the longest rule that matches at `at`, 0 for none. */
  #match(input: Uint8Array, at: number, length: number): number {
    const units = this.#units;
    this.#undecided = false;
    if (units.length === 0) return 0;
    let longest = 0;
    this.#undecided = true;
    let cell = offset(units[0]!);
    for (let i = at; i < length; i++) {
      cell ^= input[i]!;
      const unit = cell < units.length ? units[cell]! : undefined;
      if (unit === undefined || label(unit) !== input[i]!) {
        this.#undecided = false;
        break;
      }
      cell ^= offset(unit);
      if (hasLeaf(unit) && cell < units.length) {
        longest = i + 1 - at;
        this.#found = units[cell]! & 0x7fffffff;
      }
    }
    return longest;
  }

  /** Whether no rule consists of this byte, or starts with it and another ASCII byte. */
  #isPlain(byte: number): boolean {
    const units = this.#units;
    if (units.length === 0) return true;
    const cell = offset(units[0]!) ^ byte;
    if (cell >= units.length || label(units[cell]!) !== byte) return true;
    if (hasLeaf(units[cell]!)) return false;
    const children = cell ^ offset(units[cell]!);
    for (let next = 0; next < 128; next++) {
      if ((children ^ next) < units.length && label(units[children ^ next]!) === next) return false;
    }
    return true;
  }
}

/** darts-clone's unit: label in bits 0 to 7 (bit 31 set in leaves), "has a leaf" in bit 8, offset in bits 10 to 30, shifted by 8 where bit 9 is set. */
function label(unit: number): number {
  return (unit & 0x800000ff) >>> 0;
}

function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

function hasLeaf(unit: number): boolean {
  return (unit & 0x100) !== 0;
}

/** Bytes of the character that starts with this byte, in valid UTF-8. */
export function charLength(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function split(charsmap: Uint8Array): [Uint32Array, Uint8Array] {
  const view = new DataView(charsmap.buffer, charsmap.byteOffset, charsmap.byteLength);
  const size = charsmap.length > 4 ? view.getUint32(0, true) : 0;
  if (size < 4 || size % 4 !== 0 || size + 4 >= charsmap.length) {
    throw new RerankError(
      "MODEL_INVALID",
      `tokenizer.json: the precompiled_charsmap is damaged (${charsmap.length} bytes that tell of a trie of ${size})`,
    );
  }
  return [new Uint32Array(charsmap.slice(4, 4 + size).buffer), charsmap.subarray(4 + size)];
}
