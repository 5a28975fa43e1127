import { Tokenizer } from "@huggingface/tokenizers";
import { RerankError, show } from "../errors.js";
import { type PairTemplate, readTemplate } from "./template.js";

/** A query and a passage as one row of model input. */
export interface EncodedPair {
  /** Token ids, special tokens included. */
  ids: Int32Array;
  /** `token_type_ids` are 0 before this position and 1 from it on; the row's length when all are 0. */
  firstSegment: number;
}

type Json = Record<string, unknown>;

/** Text to token ids, and pairs of them laid out and cut as FlagReranker does. */
export class PairTokenizer {
  /** Id for padding a batch. */
  readonly padId: number;
  /** Special tokens that every pair holds besides its text. */
  readonly specialTokensPerPair: number;
  readonly #template: PairTemplate;
  readonly #encode: (text: string) => Int32Array;

  private constructor(encode: (text: string) => Int32Array, template: PairTemplate, padId: number) {
    this.#encode = encode;
    this.#template = template;
    this.padId = padId;
    this.specialTokensPerPair = template.before.length + template.between.length + template.after.length;
  }

  /**
   * Reads tokenizer.json, and tokenizer_config.json where there is one: the files' bytes, or what they parse to.
   * Throws `MODEL_INVALID` for a broken file, `MODEL_UNSUPPORTED` for a tokenizer that cannot lay out pairs.
   */
  static create(tokenizerJson: Uint8Array | object, tokenizerConfig: Uint8Array | object = {}): PairTokenizer {
    const json = parse(tokenizerJson, "tokenizer.json");
    const config = parse(tokenizerConfig, "tokenizer_config.json");
    return new PairTokenizer(libraryEncoder(json, config), readTemplate(json.post_processor), findPadId(json, config));
  }

  /** Token ids of one text, without special tokens. Lone surrogates count as U+FFFD. */
  encode(text: string): Int32Array {
    return this.#encode(text);
  }

  /**
   * Lays out one pair. The query is cut to three quarters of `maxLength`, then only the passage is cut, as FlagReranker
   * does; the query gives way further only where a tiny `maxLength` leaves no room for it. Special tokens always stay.
   * Throws `OPTION_INVALID` where `maxLength` cannot hold them.
   */
  pair(queryIds: ArrayLike<number>, passageIds: ArrayLike<number>, maxLength: number): EncodedPair {
    const room = maxLength - this.specialTokensPerPair;
    if (!Number.isSafeInteger(maxLength) || room < 0) {
      throw new RerankError(
        "OPTION_INVALID",
        `maxLength must be an integer of at least ${this.specialTokensPerPair} (this model's special tokens), got ${show(maxLength)}`,
      );
    }
    const { before, between, after, types } = this.#template;
    const queryLength = Math.min(queryIds.length, Math.floor((maxLength * 3) / 4), room);
    const passageLength = Math.min(passageIds.length, room - queryLength);
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

function libraryEncoder(json: Json, config: Json): (text: string) => Int32Array {
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(json, config);
  } catch (cause) {
    throw new RerankError("MODEL_UNSUPPORTED", `cannot use tokenizer.json: ${(cause as Error).message}`, { cause });
  }
  return (text) => Int32Array.from(tokenizer.encode(wellFormed(text), { add_special_tokens: false }).ids);
}

/** Lone surrogates as UTF-8 encoding would write them. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}

/** tokenizer_config.json names the token; its id stands in tokenizer.json. */
function findPadId(json: Json, config: Json): number {
  const named = config.pad_token as string | { content?: string } | undefined;
  const names = [typeof named === "object" ? named?.content : named, "<pad>", "[PAD]"];
  const added = (Array.isArray(json.added_tokens) ? json.added_tokens : []) as { id: number; content: string }[];
  for (const name of names) {
    const token = added.find((t) => t.content === name);
    if (token) return token.id;
  }
  const padding = json.padding as { pad_id?: number } | null | undefined;
  return padding?.pad_id ?? 0;
}
