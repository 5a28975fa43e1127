/*
 * Chinese and Japanese have no spaces, so there the terms are pairs of neighbouring characters; a single character that
 * stands alone is a term too. Everything else is words.
 */

const WORDS = /[\p{L}\p{N}\p{M}]+/gu;
const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]/u;
const CJK_RUN = /([\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]+)/u;

/** What a text is found by: lower-case words, and character bigrams of Chinese and Japanese. */
export function termsOf(text: string): string[] {
  const words = text.normalize("NFKC").toLowerCase().match(WORDS) ?? [];
  return words.some((word) => CJK.test(word)) ? words.flatMap(splitCjk) : words;
}

function splitCjk(word: string): string[] {
  return word.split(CJK_RUN).flatMap((run) => {
    if (run === "") return [];
    const characters = Array.from(run);
    if (characters.length === 1 || !CJK.test(run)) return [run];
    return characters.slice(1).map((character, index) => characters[index]! + character);
  });
}
