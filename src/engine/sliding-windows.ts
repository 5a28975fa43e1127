/** One window of a long passage: its character range and its token ids. */
export interface Window {
  span: [start: number, end: number];
  ids: ArrayLike<number>;
}

/** Share of a window that the next one repeats, so that no sentence is seen only in halves. */
const OVERLAP = 0.25;

/**
 * Cuts a passage into overlapping windows of at most `room` tokens. Windows end at white space or sentence punctuation
 * where there is some in their last fifth. A passage that fits is one window.
 * @param ids token ids of the whole passage
 */
export function splitPassage(
  text: string,
  ids: ArrayLike<number>,
  room: number,
  encode: (text: string) => ArrayLike<number>,
): Window[] {
  if (ids.length <= room || text.length < 2) return [{ span: [0, text.length], ids }];
  const windows: Window[] = [];
  let perToken = text.length / ids.length;
  for (let start = 0, end = 0; end < text.length; ) {
    const fitAt = (at: number) => fit(text, at, Math.max(1, Math.floor(room * perToken)), room, encode);
    let window = fitAt(start);
    // Where the text gets denser, a window may end within what it shares with the one before.
    if (window.span[1] <= end) window = fitAt(end);
    windows.push(window);
    [start, end] = window.span;
    perToken = (end - start) / Math.max(1, window.ids.length);
    start = Math.max(start + 1, snap(text, start, end - Math.floor((end - start) * OVERLAP)));
  }
  return windows;
}

/** The window that starts at `start` with about `length` characters, shortened until its tokens fit or one character is left. */
function fit(
  text: string,
  start: number,
  length: number,
  room: number,
  encode: (text: string) => ArrayLike<number>,
): Window {
  for (let size = length; ; ) {
    const rest = text.length - start;
    const end = size >= rest ? text.length : snap(text, start, start + size);
    const ids = encode(text.slice(start, end));
    if (ids.length <= room || end - start <= charLength(text, start)) return { span: [start, end], ids };
    size = Math.max(1, Math.min(end - start - 1, Math.floor(((end - start) * room * 0.98) / ids.length)));
  }
}

const BREAK = /[\s。．！？；，、.!?;,]/u;

/** Moves an end back to just behind a break in the last fifth, and never between the halves of a surrogate pair. */
function snap(text: string, start: number, end: number): number {
  for (let i = end; i > end - (end - start) / 5; i--) if (BREAK.test(text[i - 1]!)) return i;
  if (charLength(text, end - 1) === 1) return end;
  return end - 1 > start ? end - 1 : end + 1;
}

/** 2 for a surrogate pair that starts here, else 1. */
function charLength(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
