import assert from "node:assert/strict";
import { test } from "node:test";
import { paint } from "../../src/cli/io.js";
import { bar, Progress } from "../../src/cli/progress.js";
import { fakeIo } from "../support/io.js";

const GB = 1_000_000_000;

test("without a terminal: a line for each tenth of a large file and one for its end, no control characters", () => {
  const { io, written } = fakeIo();
  const progress = new Progress(io);
  progress.download({ file: "config.json", loaded: 100, total: 799 });
  progress.download({ file: "config.json", loaded: 799, total: 799 });
  for (let percent = 0; percent <= 100; percent++) {
    progress.download({ file: "model.safetensors", loaded: (percent * GB) / 100, total: GB });
  }
  progress.download({ file: "model.safetensors", loaded: GB, total: GB });
  progress.scoring(1, 2);
  progress.clear();
  assert.equal(
    written.stderr,
    [
      "config.json: 799 B",
      ...[10, 20, 30, 40, 50, 60, 70, 80, 90].map((n) => `model.safetensors: ${n} %, ${n * 10} MB of 1.0 GB`),
      "model.safetensors: 1.0 GB",
      "",
    ].join("\n"),
  );
});

test("on a terminal: one line that redraws itself and fits", () => {
  const { io, written } = fakeIo({ terminal: true, columns: 60 });
  const progress = new Progress(io);
  progress.download({ file: "model.safetensors", loaded: GB / 2, total: GB });
  const [, line] = written.stderr.split("\r\x1b[2K");
  assert.match(line!, /^model\.safetensors {2}█{12} {12} {2}50 % {2}/);
  assert.ok(line!.length < 60);
  progress.download({ file: "unsized", loaded: GB / 2, total: undefined });
  assert.ok(written.stderr.endsWith("\r\x1b[2Kunsized  500 MB"));
  progress.clear();
  assert.ok(written.stderr.endsWith("\r\x1b[2K"));
  assert.ok(!written.stderr.includes("\n"));
});

test("bars have eighths and never leave their width", () => {
  assert.equal(bar(0, 4), "    ");
  assert.equal(bar(0.5, 4), "██  ");
  assert.equal(bar(1 / 32, 4), "▏   ");
  assert.equal(bar(1, 4), "████");
  assert.equal(bar(7, 4), "████");
  assert.equal(bar(-1, 4), "    ");
});

test("colours are for terminals, unless NO_COLOR or TERM=dumb", () => {
  const red = (settings: Parameters<typeof fakeIo>[0]) => {
    const { io } = fakeIo(settings);
    return paint(io.stdout, io.env).red("x");
  };
  assert.equal(red({ terminal: true }), "\x1b[31mx\x1b[39m");
  assert.equal(red({ terminal: true, env: { NO_COLOR: "" } }), "\x1b[31mx\x1b[39m"); // https://no-color.org: not empty
  assert.equal(red({ terminal: true, env: { NO_COLOR: "1" } }), "x");
  assert.equal(red({ terminal: true, env: { TERM: "dumb" } }), "x");
  assert.equal(red({ terminal: false }), "x");
});
