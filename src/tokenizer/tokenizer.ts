import { Tokenizer } from "@huggingface/tokenizers";
import { RerankError, show } from "../errors.js";
import { type AddedToken, AddedTokens } from "./added-tokens.js";
import { isTokenId, type PairTemplate, readTemplate } from "./pair-template.js";
import { openCompiled, packCompiled } from "./unigram/compiled.js";
import { Unigram, type UnigramData } from "./unigram/model.js";
import { readUnigram } from "./unigram/parse.js";
import { readWordPiece, WordPiece } from "./wordpiece.js";

/** A query and a passage as one row of model input. */
export interface EncodedPair {
  /** Token ids, special tokens included. */
  ids: Int32Array;
  /** `token_type_ids` are 0 before this position and 1 from it on; the row's length when all are 0. */
  firstSegment: number;
}

type Json = Record<string, unknown>;
/** Returns the ids of a text; with more than `limit` of them it may stop early. */
type Encode = (text: string, limit: number) => number[];
/** All that pairs need besides the encoder. */
interface Layout {
  template: PairTemplate;
  padId: number;
}

/** Text to token ids, and pairs of them laid out and cut as FlagReranker does. */
export class PairTokenizer {
  /** Id for padding a batch. */
  readonly padId: number;
  /** Special tokens that every pair holds besides its text. */
  readonly specialTokensPerPair: number;
  readonly #template: PairTemplate;
  readonly #encode: Encode;
  readonly #compile: () => Uint8Array | undefined;

  private constructor({ template, padId }: Layout, encode: Encode, compile: () => Uint8Array | undefined) {
    this.#template = template;
    this.padId = padId;
    this.specialTokensPerPair = template.before.length + template.between.length + template.after.length;
    this.#encode = encode;
    this.#compile = compile;
  }

  /**
   * Reads tokenizer.json, and tokenizer_config.json where there is one: the files' bytes, or what they parse to.
   * Throws `MODEL_INVALID` for a broken file, `MODEL_UNSUPPORTED` for a tokenizer that cannot be run or lays out no pairs.
   */
  static create(tokenizerJson: Uint8Array | object, tokenizerConfig: Uint8Array | object = {}): PairTokenizer {
    const json = parse(tokenizerJson, "tokenizer.json");
    const config = parse(tokenizerConfig, "tokenizer_config.json");
    const layout = { template: readTemplate(json.post_processor), padId: findPadId(json, config) };
    const added = addedTokens(json);
    const unigram = readUnigram(json, added);
    if (unigram) return PairTokenizer.#ofUnigram(layout, unigram, added);
    const wordPiece = added.some((token) => token.normalized) ? undefined : readWordPiece(json);
    const encode = wordPiece ? ownEncoder(new WordPiece(wordPiece), added) : libraryEncoder(json, config);
    return new PairTokenizer(layout, encode, () => undefined);
  }

  /** Opens what `compile` returned, in a few milliseconds; throws `MODEL_INVALID` when it is of another version or damaged. */
  static fromCompiled(bytes: Uint8Array): PairTokenizer {
    const { meta, ...arrays } = openCompiled(bytes);
    const { layout, added, numbers } = meta as { layout: Layout; added: AddedToken[]; numbers: UnigramNumbers };
    return PairTokenizer.#ofUnigram(layout, { ...numbers, ...arrays }, added);
  }

  static #ofUnigram(layout: Layout, data: UnigramData, added: AddedToken[]): PairTokenizer {
    const { trie, scores, charsmap, ...numbers } = data;
    const compile = () => packCompiled({ meta: { layout, added, numbers }, trie, scores, charsmap });
    return new PairTokenizer(layout, ownEncoder(new Unigram(data), added), compile);
  }

  /** A form of this tokenizer that opens fast; `undefined` for kinds that have none (all but unigram models). */
  compile(): Uint8Array | undefined {
    return this.#compile();
  }

  /**
   * Token ids of one text, without special tokens. Lone surrogates count as U+FFFD. With a `limit`, at most that many:
   * a long text costs no more than the part that is used.
   */
  encode(text: string, limit = Number.POSITIVE_INFINITY): Int32Array {
    const ids = this.#encode(text, limit);
    const odd = ids.find((id) => !isTokenId(id));
    if (odd !== undefined) {
      throw new RerankError("MODEL_INVALID", `tokenizer.json gives the token id ${odd}; ids are at most 2^31 - 1.`);
    }
    return new Int32Array(ids.length > limit ? ids.slice(0, limit) : ids);
  }

  /**
   * Tokens of a passage that fit beside a query of so many. The query is cut to `queryMaxLength`, then only the passage is
   * cut, as FlagReranker does; the query gives way further only where `maxLength` leaves no room.
   * @param queryMaxLength three quarters of `maxLength` by default
   */
  passageRoom(queryLength: number, maxLength: number, queryMaxLength = Math.floor((maxLength * 3) / 4)): number {
    const room = maxLength - this.specialTokensPerPair;
    return room - Math.min(queryLength, queryMaxLength, room);
  }

  /**
   * Lays out one pair, cut as {@link passageRoom} says. Special tokens always stay.
   * Throws `OPTION_INVALID` where `maxLength` cannot hold them.
   */
  pair(
    queryIds: ArrayLike<number>,
    passageIds: ArrayLike<number>,
    maxLength: number,
    queryMaxLength?: number,
  ): EncodedPair {
    const room = maxLength - this.specialTokensPerPair;
    if (!Number.isSafeInteger(maxLength) || room < 0) {
      throw new RerankError(
        "OPTION_INVALID",
        `maxLength must be an integer of at least ${this.specialTokensPerPair} (this model's special tokens), got ${show(maxLength)}`,
      );
    }
    const { before, between, after, types } = this.#template;
    const passageRoom = this.passageRoom(queryIds.length, maxLength, queryMaxLength);
    const queryLength = Math.min(queryIds.length, room - passageRoom);
    const passageLength = Math.min(passageIds.length, passageRoom);
    const ids = new Int32Array(this.specialTokensPerPair + queryLength + passageLength);
    const passageAt = before.length + queryLength + between.length;
    ids.set(before);
    for (let i = 0; i < queryLength; i++) ids[before.length + i] = queryIds[i]!;
    ids.set(between, before.length + queryLength);
    for (let i = 0; i < passageLength; i++) ids[passageAt + i] = passageIds[i]!;
    ids.set(after, passageAt + passageLength);
    return { ids, firstSegment: types === "passage" ? passageAt : ids.length };
  }
}

type UnigramNumbers = Omit<UnigramData, "trie" | "scores" | "charsmap">;

function ownEncoder(model: Unigram | WordPiece, added: AddedToken[]): Encode {
  const tokens = new AddedTokens(added);
  return (text, limit) => {
    const ids: number[] = [];
    for (const part of tokens.split(text)) {
      if (typeof part === "number") ids.push(part);
      else model.encode(part, ids, limit);
      if (ids.length >= limit) break;
    }
    return ids;
  };
}

function libraryEncoder(json: Json, config: Json): Encode {
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(json, config);
  } catch (cause) {
    throw new RerankError("MODEL_UNSUPPORTED", `cannot use tokenizer.json: ${(cause as Error).message}`, { cause });
  }
  // lone surrogates as UTF-8 encoding would write them
  const encode = (text: string) =>
    tokenizer.encode(text.replace(/\p{Surrogate}/gu, "\uFFFD"), { add_special_tokens: false }).ids;
  // The library reads all of a text, and a long word in the square of its length.
  return (text, limit) => {
    for (let length = 4 * limit + 1024; length < text.length; length *= 2) {
      const ids = encode(beginning(text, length));
      if (ids.length >= limit + UNCERTAIN) return ids;
    }
    return encode(text);
  };
}

/** Tokens before a cut that might be others without it. */
const UNCERTAIN = 32;

/** About so many characters of a text, up to white space where there is some in their last half. */
function beginning(text: string, length: number): string {
  const part = text.slice(0, length);
  const space = part.search(/\s\S*$/u);
  return space > length / 2 ? part.slice(0, space) : part.replace(/[\ud800-\udbff]$/, "");
}

function parse(file: Uint8Array | object, name: string): Json {
  if (!(file instanceof Uint8Array)) return file as Json;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
    throw new Error(`expected an object, got ${show(value)}`);
  } catch (cause) {
    throw new RerankError("MODEL_INVALID", `${name} is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}

function addedTokens(json: Json): AddedToken[] {
  const tokens: unknown = json.added_tokens ?? [];
  const valid = (t: AddedToken | null) => typeof t?.content === "string" && isTokenId(t.id);
  if (Array.isArray(tokens) && tokens.every(valid)) return tokens;
  throw new RerankError(
    "MODEL_INVALID",
    "tokenizer.json: added_tokens is no list of {id, content, ...}, ids below 2^31",
  );
}

/** tokenizer_config.json names the token; its id stands in tokenizer.json. */
function findPadId(json: Json, config: Json): number {
  const named = config.pad_token as string | { content?: string } | null | undefined;
  const names = [typeof named === "object" ? named?.content : named, "<pad>", "[PAD]"];
  for (const name of names) {
    const token = addedTokens(json).find((t) => t.content === name);
    if (token) return token.id;
  }
  const padding = json.padding as { pad_id?: number } | null | undefined;
  return padding?.pad_id ?? 0;
}
