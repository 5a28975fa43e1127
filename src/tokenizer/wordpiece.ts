import { isTokenId } from "./pair-template.js";

type Json = Record<string, unknown>;

/** `[UNK]` and `##` and the rest of a tokenizer.json that is BERT's own. */
export interface WordPieceData {
  vocab: Map<string, number>;
  unkId: number;
  /** Marks a piece that is not the start of a word. */
  prefix: string;
  /** Longer words, in characters, are unknown. */
  longestWord: number;
  cleanText: boolean;
  chineseChars: boolean;
  stripAccents: boolean;
  lowercase: boolean;
}

/** BERT's tokenizer out of a tokenizer.json, or `undefined` where the file says anything else. */
export function readWordPiece(json: Json): WordPieceData | undefined {
  const model = json.model as Json | undefined;
  const normalizer = json.normalizer as Json | undefined;
  if (model?.type !== "WordPiece" || normalizer?.type !== "BertNormalizer") return undefined;
  if ((json.pre_tokenizer as Json | undefined)?.type !== "BertPreTokenizer") return undefined;
  if (typeof model.vocab !== "object" || model.vocab === null) return undefined;
  const vocab = new Map(Object.entries(model.vocab as Record<string, number>));
  const unkId = vocab.get(String(model.unk_token ?? "[UNK]"));
  const lowercase = normalizer.lowercase !== false;
  if (unkId === undefined || ![...vocab.values()].every(isTokenId)) return undefined;
  return {
    vocab,
    unkId,
    prefix: String(model.continuing_subword_prefix ?? "##"),
    longestWord: Number(model.max_input_chars_per_word ?? 100),
    cleanText: normalizer.clean_text !== false,
    chineseChars: normalizer.handle_chinese_chars !== false,
    stripAccents: (normalizer.strip_accents as boolean | null | undefined) ?? lowercase,
    lowercase,
  };
}

const PUNCTUATION = "!-\\/:-@\\[-`{-~\\p{P}";
const WORDS = new RegExp(`[${PUNCTUATION}]|[^\\p{White_Space}${PUNCTUATION}]+`, "gu");
/** "Other" characters and U+FFFD, but not the three that count as white space. */
const CONTROL = /[^\P{C}\t\n\r]|\uFFFD/gu;
/** https://github.com/huggingface/tokenizers/blob/main/tokenizers/src/normalizers/bert.rs, is_chinese_char */
const CHINESE =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

/** Characters that always stand between words, or are one: a text can be cut before them. */
const SEPARATOR = /[\t\n\r !-/:-@[-`{-~]/u;
/** UTF-16 units of a text that are looked at together, and of one that is decomposed. */
const SLICE = 4096;
/** More marks on one letter than any language has. Putting marks in order takes the square of their number. */
const MANY_MARKS = /\p{M}{64,}/gu;
const FEW_AT_A_TIME = /.{1,512}\p{M}{0,64}/gsu;

/** BERT's tokenizer as Hugging Face's fast one does it: clean-up, words and punctuation, longest pieces first. */
export class WordPiece {
  readonly #data: WordPieceData;
  readonly #separator: RegExp;

  constructor(data: WordPieceData) {
    this.#data = data;
    const separators = data.chineseChars ? [SEPARATOR, CHINESE] : [SEPARATOR];
    this.#separator = new RegExp(separators.map(({ source }) => source).join("|"), "gu");
  }

  /** Appends the ids of one text to `ids`, about `limit` of them: more is allowed, fewer is not. */
  encode(text: string, ids: number[], limit: number): void {
    for (const slice of slices(text, this.#separator)) {
      for (const [word] of this.#normalize(slice).matchAll(WORDS)) {
        this.#split(word, ids);
        if (ids.length >= limit) return;
      }
    }
  }

  #normalize(text: string): string {
    const { cleanText, chineseChars, stripAccents, lowercase } = this.#data;
    let out = text.replace(/\p{Cs}/gu, "\uFFFD"); // lone surrogates as UTF-8 encoding would write them
    if (cleanText) out = out.replace(CONTROL, "");
    if (chineseChars) out = out.replace(CHINESE, " $& ");
    if (stripAccents) out = decompose(out).replace(/\p{Mn}/gu, "");
    // every character by itself, so that no sigma becomes a final one
    return lowercase ? out.replaceAll("Σ", "σ").toLowerCase() : out;
  }

  #split(word: string, ids: number[]): void {
    const { vocab, unkId, prefix, longestWord } = this.#data;
    const first = ids.length;
    let at = isLongerThan(word, longestWord) ? -1 : 0;
    while (at >= 0 && at < word.length) {
      let end = word.length;
      let id: number | undefined;
      for (; end > at && id === undefined; end--) {
        id = vocab.get(at === 0 ? word.slice(0, end) : prefix + word.slice(at, end));
      }
      if (id !== undefined) ids.push(id);
      at = id === undefined ? -1 : end + 1;
    }
    if (at < 0) {
      ids.length = first;
      ids.push(unkId);
    }
  }
}

/** Whether a word has more characters (not UTF-16 units) than `limit`. */
function isLongerThan(word: string, limit: number): boolean {
  return word.length > limit && (word.length > 2 * limit || [...word].length > limit);
}

/** A text in parts that are tokenized as the whole is; one without any separator stays whole. */
function* slices(text: string, separator: RegExp): Generator<string> {
  for (let start = 0, end = 0; start < text.length; start = end) {
    separator.lastIndex = start + SLICE;
    end = separator.exec(text)?.index ?? text.length;
    yield text.slice(start, end);
  }
}

/** NFD, but for the order of the other marks among 64 and more in a row, in linear time; a mark that goes (Mn) may go before. */
function decompose(text: string): string {
  if (text.length <= 64) return text.normalize("NFD");
  const bounded = text.replace(MANY_MARKS, (marks) => marks.replace(/\p{Mn}/gu, ""));
  return bounded.replace(FEW_AT_A_TIME, (part) => part.normalize("NFD"));
}
