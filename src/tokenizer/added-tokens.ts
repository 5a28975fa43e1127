/** A token of `added_tokens` in tokenizer.json. */
export interface AddedToken {
  id: number;
  content: string;
  /** Takes the white space before or after it along. */
  lstrip?: boolean;
  rstrip?: boolean;
  /** Counts only where no word character touches it. */
  single_word?: boolean;
  /** Is looked for in the normalised text instead of the text itself. */
  normalized?: boolean;
  special?: boolean;
}

/** Part of a text: a stretch to tokenize, or the id of a token that the text spelled out. */
export type Part = string | number;

/**
 * Takes added tokens out of a text, leftmost and longest first, as Hugging Face's tokenizers do. See `find_matches` in
 * https://github.com/huggingface/tokenizers/blob/main/tokenizers/src/tokenizer/added_vocabulary.rs
 */
export class AddedTokens {
  readonly #pattern: RegExp | undefined;
  readonly #byContent: Map<string, AddedToken>;

  constructor(tokens: readonly AddedToken[]) {
    this.#byContent = new Map(tokens.flatMap((token) => (token.content === "" ? [] : [[token.content, token]])));
    const longestFirst = [...this.#byContent.keys()].sort((a, b) => b.length - a.length);
    const escaped = longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
    if (escaped.length > 0) this.#pattern = new RegExp(escaped.join("|"), "g");
  }

  *split(text: string): Generator<Part> {
    let done = 0;
    for (const match of this.#pattern ? text.matchAll(this.#pattern) : []) {
      const token = this.#byContent.get(match[0])!;
      let start = match.index;
      let end = start + match[0].length;
      if (token.single_word && !standsAlone(text, start, end)) continue;
      if (token.lstrip) while (start > done && isSpace(text[start - 1]!)) start--;
      if (token.rstrip) while (end < text.length && isSpace(text[end]!)) end++;
      if (start > done) yield text.slice(done, start);
      yield token.id;
      done = end;
    }
    if (done < text.length) yield done === 0 ? text : text.slice(done);
  }
}

const WORD = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d]";
const ENDS_IN_WORD = new RegExp(`${WORD}$`, "u");
const STARTS_WITH_WORD = new RegExp(`^${WORD}`, "u");

function standsAlone(text: string, start: number, end: number): boolean {
  // two code units hold any character
  return (
    !ENDS_IN_WORD.test(text.slice(Math.max(0, start - 2), start)) && !STARTS_WITH_WORD.test(text.slice(end, end + 2))
  );
}

function isSpace(char: string): boolean {
  return /\p{White_Space}/u.test(char);
}
