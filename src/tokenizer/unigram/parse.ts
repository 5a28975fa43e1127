import { RerankError, show } from "../../errors.js";
import type { AddedToken } from "../added-tokens.js";
import type { UnigramData } from "./model.js";
import { Normalizer } from "./normalizer.js";
import { buildTrie, type Keys } from "./trie.js";

type Json = Record<string, unknown>;
type Piece = [piece: string, score: number];

const META = "\u2581";
/** Real pieces have 16 characters at most; the trie builder recurses once a byte. */
const LONGEST_PIECE = 256;

/**
 * SentencePiece's unigram model out of a tokenizer.json, or `undefined` where the file says anything that we do not know
 * to be just that (then the general library has to do).
 *
 * The forms are those that Hugging Face's converters have written for XLM-R over the years: SentencePiece's own way with
 * white space, put together from parts. See `XLMRobertaConverter` and `SpmConverter` in
 * https://github.com/huggingface/transformers/blob/main/src/transformers/convert_slow_tokenizer.py
 */
export function readUnigram(json: Json, added: readonly AddedToken[]): UnigramData | undefined {
  const model = json.model as Json | undefined;
  if (model?.type !== "Unigram" || model.byte_fallback === true || !Number.isInteger(model.unk_id)) return undefined;
  const normalizer = readNormalizer(json.normalizer);
  const splits = readPreTokenizer(json.pre_tokenizer);
  if (!normalizer || !splits || !(normalizer.collapses || splits.atSpaces)) return undefined;
  const { vocab } = model;
  if (!Array.isArray(vocab) || !vocab.every(isPiece) || !((model.unk_id as number) in vocab)) {
    throw new RerankError(
      "MODEL_INVALID",
      `tokenizer.json: the vocabulary is no list of [piece, score] with unk_id in it`,
    );
  }
  if (vocab.length >= 1 << 22 || vocab.some(([piece]) => piece.length > LONGEST_PIECE / 4)) return undefined;
  if (!added.every((token) => isFoundInPlainText(token, normalizer.charsmap))) return undefined;
  // a special token must not be found in what normalisation makes of other characters
  const special = new Set(added.flatMap((token) => (token.special ? token.id : [])));
  return build(vocab, model.unk_id as number, special, normalizer.charsmap);
}

function isPiece(value: unknown): value is Piece {
  return Array.isArray(value) && typeof value[0] === "string" && Number.isFinite(value[1]);
}

/** Tokens that are to be looked for in the normalised text can be looked for before, where normalisation keeps them. */
function isFoundInPlainText(token: AddedToken, charsmap: Uint8Array | undefined): boolean {
  if (!token.normalized) return true;
  const normalizer = new Normalizer(charsmap);
  const bytes = new TextEncoder().encode(token.content);
  normalizer.start();
  normalizer.push(bytes, bytes.length, true);
  return new TextDecoder().decode(normalizer.output.subarray(0, normalizer.length)) === ` ${token.content}`;
}

function build(vocab: Piece[], unkId: number, special: Set<number>, charsmap: Uint8Array | undefined): UnigramData {
  const scores = new Float32Array(vocab.length);
  const writer = new KeyWriter(vocab);
  let worst = Number.POSITIVE_INFINITY;
  for (const [id, [piece, score]] of vocab.entries()) {
    scores[id] = score;
    if (id === unkId || special.has(id)) continue;
    worst = Math.min(worst, scores[id]!);
    writer.add(piece, id);
  }
  const unkScore = Math.fround((Number.isFinite(worst) ? worst : 0) - 10);
  return { trie: buildTrie(writer.keys()), scores, unkId, unkScore, charsmap };
}

/** Pieces as bytes, a space for U+2581. */
class KeyWriter {
  readonly #bytes: Uint8Array;
  readonly #starts: Int32Array;
  readonly #values: Int32Array;
  readonly #encoder = new TextEncoder();
  #count = 0;

  constructor(vocab: readonly Piece[]) {
    this.#bytes = new Uint8Array(vocab.reduce((sum, [piece]) => sum + 3 * piece.length, 0));
    this.#starts = new Int32Array(vocab.length + 1);
    this.#values = new Int32Array(vocab.length);
  }

  add(piece: string, id: number): void {
    // no text has a space of its own left when pieces are looked up
    if (piece === "" || piece.includes(" ")) return;
    const start = this.#starts[this.#count]!;
    const text = piece.replaceAll(META, " ");
    let end = start;
    for (let i = 0; i < text.length && end >= start; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80) this.#bytes[end++] = unit;
      else end = -1;
    }
    if (end < start) end = start + this.#encoder.encodeInto(text, this.#bytes.subarray(start)).written;
    this.#values[this.#count++] = id;
    this.#starts[this.#count] = end;
  }

  keys(): Keys {
    return {
      bytes: this.#bytes,
      starts: this.#starts.subarray(0, this.#count + 1),
      values: this.#values.subarray(0, this.#count),
    };
  }
}

/** What SentencePiece's normaliser became, and whether runs of spaces become one. */
function readNormalizer(normalizer: unknown): { charsmap: Uint8Array | undefined; collapses: boolean } | undefined {
  const steps = sequence(normalizer, "normalizers");
  const found = { charsmap: undefined as Uint8Array | undefined, collapses: false };
  for (const [i, step] of steps.entries()) {
    if (step.type === "Precompiled" && i === 0) {
      if (typeof step.precompiled_charsmap === "string") found.charsmap = decode(step.precompiled_charsmap);
    } else if (step.type === "Replace" && isSpaces(step.pattern) && (step.content === " " || step.content === META)) {
      found.collapses = true;
    } else if (step.type !== "Strip") {
      return undefined;
    }
  }
  return found;
}

/** Words marked with U+2581, cut at white space before or not. */
function readPreTokenizer(preTokenizer: unknown): { atSpaces: boolean } | undefined {
  const steps = sequence(preTokenizer, "pretokenizers");
  const metaspace = steps.pop();
  const prefixed =
    metaspace?.prepend_scheme === undefined ? metaspace?.add_prefix_space : metaspace.prepend_scheme === "always";
  if (metaspace?.type !== "Metaspace" || metaspace.replacement !== META || prefixed !== true) return undefined;
  const atSpaces = steps.pop();
  if (steps.length > 0 || (atSpaces && atSpaces.type !== "WhitespaceSplit")) return undefined;
  return { atSpaces: atSpaces !== undefined };
}

/** A step, or a `Sequence` of them, as a list. */
function sequence(value: unknown, key: string): Json[] {
  if (typeof value !== "object" || value === null) return [];
  const step = value as Json;
  if (step.type !== "Sequence") return [step];
  const members = step[key];
  return Array.isArray(members) ? members.flatMap((member) => sequence(member, key)) : [];
}

function isSpaces(pattern: unknown): boolean {
  return (pattern as Json | undefined)?.Regex === " {2,}";
}

function decode(base64: string): Uint8Array {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length === 0 && base64 !== "")
    throw new RerankError("MODEL_INVALID", `tokenizer.json: bad charsmap ${show(base64)}`);
  return new Uint8Array(bytes);
}
