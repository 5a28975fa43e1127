import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { splitPassage, type Window } from "../../src/engine/sliding-windows.js";
import { makeBatch } from "../../src/runtime/batch.js";
import type { Session } from "../../src/runtime/session.js";
import type { PairTokenizer } from "../../src/tokenizer/tokenizer.js";
import { useOwnCache } from "../support/checkpoint.js";
import { EngineRun, FakeSession, loadedModel, openSession, openTokenizer } from "../support/engine.js";
import { fixture } from "../support/paths.js";

useOwnCache();

const split = (text: string, room: number, encode: (text: string) => ArrayLike<number>): Window[] =>
  splitPassage(text, encode(text), room, encode);

/** One token for each UTF-8 byte, as a byte-level tokenizer does at worst. */
const bytes = (text: string): Uint8Array => Buffer.from(text);
/** One token for each word and each character that is no letter. */
const words = (text: string): string[] => text.match(/\p{L}+|[^\p{L}\s]/gu) ?? [];
const wordIds = (text: string): number[] => words(text).map((word) => word.length);

const insidePair = (text: string, at: number): boolean =>
  /[\uD800-\uDBFF]/.test(text[at - 1] ?? "") && /[\uDC00-\uDFFF]/.test(text[at] ?? "");

/** What must hold for any text, room and tokenizer. `least`: the most tokens that one character can make. */
function check(text: string, room: number, encode: (text: string) => ArrayLike<number>, least: number): Window[] {
  const windows = split(text, room, encode);
  assert.equal(windows[0]!.span[0], 0, "the first window starts the text");
  assert.equal(windows.at(-1)!.span[1], text.length, "the last window ends it");
  for (const [i, { span, ids }] of windows.entries()) {
    const [start, end] = span;
    assert.ok(Number.isInteger(start) && Number.isInteger(end) && (start < end || text === ""), `span ${span}`);
    assert.ok(!insidePair(text, start) && !insidePair(text, end), `${span} cuts a character in half`);
    assert.deepEqual(
      [...(ids as ArrayLike<number> & Iterable<number>)],
      [...(encode(text.slice(start, end)) as number[])],
    );
    assert.ok(ids.length <= Math.max(room, least), `${ids.length} tokens in a room of ${room}`);
    const before = windows[i - 1]?.span;
    if (!before) continue;
    assert.ok(start <= before[1], "no character is left out");
    assert.ok(start > before[0] && end > before[1], "every window brings something new");
  }
  return windows;
}

const prose = Array.from({ length: 400 }, (_, i) => `Sentence number ${i} tells of a thing, and of more things.`).join(
  " ",
);

describe("splitPassage", () => {
  it("leaves a passage that fits alone", () => {
    for (const text of ["", "a", "\ud800", "🙂", "just a few words"]) {
      assert.deepEqual(
        split(text, 20, wordIds).map(({ span }) => span),
        [[0, text.length]],
      );
    }
  });

  it("covers any text with windows that fit, and cuts no character in half", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.string({ unit: fc.constantFrom("a", " ", "。", "🙂", "\ud83d", "\ude42", "\n", "字"), maxLength: 400 }),
      fc.array(fc.string({ unit: "grapheme", maxLength: 12 }), { maxLength: 80 }).map((parts) => parts.join(" ")),
    );
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 60 }), (text, room) => {
        check(text, room, bytes, 4);
        check(text, room, wordIds, 1);
      }),
      { numRuns: 500 },
    );
  });

  it("overlaps its windows by about a quarter", () => {
    const windows = check(prose, 100, wordIds, 1);
    assert.ok(windows.length > 30);
    for (const [i, { span }] of windows.entries()) {
      const next = windows[i + 1]?.span;
      if (!next) break;
      const share = (span[1] - next[0]) / (span[1] - span[0]);
      assert.ok(share >= 0.1 && share <= 0.5, `window ${i} shares ${share} with the next`);
    }
  });

  it("uses its room: not many more windows than needed", () => {
    for (const [text, encode] of [
      [prose, wordIds],
      ["字".repeat(5000), bytes],
      ["x".repeat(20_000), bytes],
    ] as const) {
      const room = 120;
      const needed = encode(text).length / (room * 0.75);
      assert.ok(check(text, room, encode, 4).length <= 1.4 * needed + 1);
    }
  });

  it("ends windows behind a break where there is one near", () => {
    const windows = check(prose, 100, wordIds, 1);
    for (const { span } of windows.slice(0, -1)) assert.match(prose[span[1] - 1]!, /[\s.,]/);
    const chinese = "今天天气很好，我们去公园散步。".repeat(100);
    for (const { span } of check(chinese, 90, bytes, 4).slice(0, -1)) assert.match(chinese[span[1] - 1]!, /[，。]/);
  });

  it("copes with density that changes along the text", () => {
    const text = `${"a".repeat(4000)} ${"🙂".repeat(500)} ${"word ".repeat(500)}${" ".repeat(3000)}end`;
    check(text, 50, bytes, 4);
    check(text, 50, wordIds, 1);
  });

  it("takes time in proportion to the text", () => {
    let characters = 0;
    const counting = (text: string) => {
      characters += text.length;
      return bytes(text);
    };
    const text = prose.repeat(4);
    split(text, 64, counting);
    assert.ok(characters < 8 * text.length, `${characters} characters tokenized for ${text.length}`);
  });
});

describe("max-passage", () => {
  const folder = fixture("models/xlmr");
  let tokenizer: PairTokenizer;
  let session: Session;
  before(async () => {
    tokenizer = await openTokenizer(folder);
    session = await openSession(folder, true);
  });
  after(() => session.release());

  /** One pair by the session alone. */
  async function scoreAlone(query: string, passage: string, maxLength: number): Promise<number> {
    const pair = tokenizer.pair(tokenizer.encode(query), tokenizer.encode(passage), maxLength);
    return (await session.run(makeBatch([pair], tokenizer.padId)))[0]!;
  }

  async function best(query: string, passage: string, maxLength: number) {
    const run = new EngineRun(loadedModel({ session, tokenizer }));
    await run.submit(1, [query], [passage], { maxLength, overflow: "max-passage" });
    assert.equal(run.failures.size, 0);
    return { logit: run.logits.get(1)![0]!, span: run.spans.get(1)![0]! };
  }

  const query = "why did the server process terminate";
  const text = Array.from(
    { length: 60 },
    (_, i) => `The process ${i} of the 数据库 server ended for reason ${i * 7}.`,
  ).join(" ");

  it("gives the best window's score and its characters", async () => {
    for (const maxLength of [40, 64, 128]) {
      const { logit, span } = await best(query, text, maxLength);
      const [start, end] = span;
      assert.ok(Math.abs(logit - (await scoreAlone(query, text.slice(start, end), maxLength))) < 1e-5);
      const room = maxLength - tokenizer.specialTokensPerPair - tokenizer.encode(query).length;
      const all = split(text, room, (part) => tokenizer.encode(part));
      assert.ok(all.length > 3);
      for (const window of all) {
        const other = await scoreAlone(query, text.slice(...window.span), maxLength);
        assert.ok(other <= logit + 1e-5, "no window is better");
      }
      assert.ok(all.some((window) => window.span[0] === start && window.span[1] === end));
    }
  });

  it("a passage that fits: its plain score, and all of it", async () => {
    const { logit, span } = await best(query, "short passage", 512);
    assert.deepEqual(span, [0, 13]);
    assert.ok(Math.abs(logit - (await scoreAlone(query, "short passage", 512))) < 1e-5);
  });

  it("a query that takes all its share leaves room for windows", async () => {
    const { logit, span } = await best("server ".repeat(200), text, 64);
    assert.ok(span[1] > span[0] && span[1] <= text.length);
    assert.ok(Math.abs(logit - (await scoreAlone("server ".repeat(200), text.slice(...span), 64))) < 1e-5);
  });

  it("of windows with the same text the first, whatever their batches add in the last bits", async () => {
    for (const noise of [1e-7, -1e-7]) {
      const noisy = new FakeSession();
      noisy.logit = (batch, row) => batch.lengths[row]! + noise * noisy.batches.length;
      const run = new EngineRun(loadedModel({ session: noisy, tokenizer, batchTokens: 1 }));
      await run.submit(1, ["q"], ["server ".repeat(400), "a", "a"], { maxLength: 64, overflow: "max-passage" });
      const [first, ...others] = run.spans.get(1)!;
      assert.equal(first![0], 0, `${first}`);
      assert.equal(others.length, 2);
    }
  });

  it("answers a passage once, when its last window is in, among other requests", async () => {
    const run = new EngineRun(loadedModel({ session, tokenizer, batchTokens: 128 }));
    const passages = [text, "short", text.slice(0, 700)];
    await Promise.all([
      run.submit(1, [query], passages, { maxLength: 48, overflow: "max-passage" }),
      run.submit(2, [query], passages, { maxLength: 48 }),
    ]);
    const alone = await Promise.all(passages.map((passage) => best(query, passage, 48)));
    assert.deepEqual(
      run.spans.get(1),
      alone.map(({ span }) => span),
    );
    assert.equal(run.spans.get(2), undefined);
    for (const [i, { logit }] of alone.entries()) {
      assert.ok(Math.abs(run.logits.get(1)![i]! - logit) < 1e-5);
      assert.ok(Math.abs(run.logits.get(2)![i]! - (await scoreAlone(query, passages[i]!, 48))) < 1e-5);
    }
  });
});
