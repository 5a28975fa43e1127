import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, displayWidth, fit, oneLine, pad, wrap } from "../../src/cli/text.js";

test("East Asian characters and emoji take two columns, combining marks none", () => {
  const widths: [string, number][] = [
    ["", 0],
    ["panda", 5],
    ["大熊猫", 6],
    ["パンダ", 6],
    ["판다", 4],
    ["ＡＢＣ", 6],
    ["、。「」", 8],
    ["e\u0301", 1],
    ["🐼", 2],
    ["👩‍👩‍👧‍👦", 2],
    ["❤️", 2],
    ["naïve – café", 12],
  ];
  for (const [text, width] of widths) assert.equal(displayWidth(text), width, JSON.stringify(text));
});

test("what fits is left alone, what does not ends in an ellipsis", () => {
  assert.equal(fit("panda", 5), "panda");
  assert.equal(fit("panda", 4), "pan…");
  assert.equal(fit("大熊猫", 6), "大熊猫");
  assert.equal(fit("大熊猫", 5), "大熊…");
  assert.equal(fit("大熊猫", 4), "大…");
  assert.equal(fit("a 👩‍👩‍👧‍👦 family", 5), "a 👩‍👩‍👧‍👦…");
  assert.equal(fit("panda", 0), "");
  assert.equal(pad("大熊", 6), "大熊  ");
});

test("a document cannot move the cursor, change colours or turn the text round", () => {
  assert.equal(oneLine("one\r\ntwo\tthree\u2028four"), "one two three four");
  assert.equal(oneLine("\x1b[31mred\x1b[0m \x07\u009b2J"), "[31mred [0m 2J");
  assert.equal(oneLine("abc\u202efdp.exe"), "abcfdp.exe");
});

test("lines break at spaces, and anywhere in Chinese", () => {
  assert.deepEqual(wrap("the giant panda lives in China", 12), ["the giant", "panda lives", "in China"]);
  assert.deepEqual(wrap("大熊猫生活在中国", 6), ["大熊猫", "生活在", "中国"]);
  assert.deepEqual(wrap("", 10), []);
});

test("sizes", () => {
  const sizes: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [17_098_273, "17.1 MB"],
    [1_112_206_000, "1.1 GB"],
    [271_000_000, "271 MB"],
  ];
  for (const [count, text] of sizes) assert.equal(bytes(count), text);
});
