import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { useOwnCache } from "../support/checkpoint.js";
import { MAIN, run, runInside, start } from "../support/cli.js";
import { HubServer, sendPart, sha256 } from "../support/hub-server.js";
import { fixture, repoRoot, temporaryFolder } from "../support/paths.js";

useOwnCache();

const XLMR = fixture("models/xlmr");

interface Pair {
  query: string;
  passage: string;
  logit: number;
}

/** Pairs with the same query are rare in the fixtures, so one query is asked for each. Logits are PyTorch's. */
const pairs: Pair[] = (() => {
  const texts = JSON.parse(readFileSync(fixture("pairs.json"), "utf8"));
  const logits = JSON.parse(readFileSync(fixture("logits/xlmr.json"), "utf8"));
  return texts
    .map((pair: object, index: number) => ({ ...pair, logit: logits[index].logit }))
    .filter(({ query, passage }: Pair) =>
      [query, passage].every((s) => typeof s === "string" && /^[^\p{Cc}{]+$/u.test(s)),
    );
})();

const { version } = JSON.parse(readFileSync(join(repoRoot, "package.json"), "utf8"));

test("--version, --help and a mistake", async (t) => {
  assert.deepEqual(await run(t, ["--version"]), { code: 0, signal: null, stdout: `${version}\n`, stderr: "" });
  const help = await runInside(t, ["--help"]);
  assert.match(help.stdout, /rank .*\n +info .*\n +download .*\n +verify /);
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  const mistake = await run(t, ["rank", "--top", "3"]);
  assert.deepEqual([mistake.code, mistake.stdout], [2, ""]);
  assert.equal(mistake.stderr, "bge-reranker: Unknown option '--top'. Try bge-reranker rank --help.\n");
});

test("rank: PyTorch's logits for lines of text", async (t) => {
  for (const [execute, { query, passage, logit }] of [
    [run, pairs[0]!],
    [runInside, pairs[20]!],
  ] as const) {
    const { code, stdout, stderr } = await execute(t, ["rank", "--query", query, "--model", XLMR, "--raw"], {
      input: `${passage}\n`,
    });
    assert.deepEqual([code, stderr], [0, ""]);
    const [rank, score, id, ...rest] = stdout.trimEnd().split("\t");
    assert.deepEqual([rank, id, rest], ["1", "1", [passage.trim().replace(/\s+/g, " ")]]);
    assert.ok(Math.abs(Number(score) - logit) < 1e-4, `${score} is not ${logit}`);
  }
});

test("rank --json: best first, documents as they came, sigmoid scores, top N and threshold", async (t) => {
  const { query } = pairs[0]!;
  const given = pairs.slice(0, 12).map(({ passage }, index) => ({ id: `doc ${index}`, text: passage, page: index }));
  const file = join(temporaryFolder(t), "passages.jsonl");
  writeFileSync(file, given.map((document) => `${JSON.stringify(document)}\n`).join("\n"));
  const rank = async (...more: string[]) => {
    const { code, stdout, stderr } = await runInside(t, ["rank", "-q", query, "-m", XLMR, "--json", ...more, file]);
    assert.deepEqual([code, stderr], [0, ""]);
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  };
  const all = await rank();
  const raw = await rank("--raw");
  assert.deepEqual(
    all.map(({ rank }) => rank),
    Array.from({ length: 12 }, (_, index) => index + 1),
  );
  assert.deepEqual(
    all.map(({ index }) => index).sort((a, b) => a - b),
    [...given.keys()],
  );
  for (const [place, { index, line, score, document }] of all.entries()) {
    assert.deepEqual(document, given[index]);
    assert.equal(line, 2 * index + 1); // an empty line follows each
    assert.ok(Math.abs(score - 1 / (1 + Math.exp(-raw[place].score))) < 1e-6);
    assert.ok(place === 0 || score <= all[place - 1].score);
  }
  const first = raw.find(({ index }) => index === 0);
  assert.ok(Math.abs(first.score - pairs[0]!.logit) < 1e-4);
  assert.deepEqual(await rank("--top-n", "3"), all.slice(0, 3));
  assert.deepEqual(await rank("--threshold", String(all[4].score)), all.slice(0, 5));
});

test("rank: a malformed line stops everything, before any output", async (t) => {
  const file = join(temporaryFolder(t), "passages.jsonl");
  writeFileSync(file, '{"text":"one"}\n{"text":"two"\n{"text":"three"}\n');
  const { code, stdout, stderr } = await runInside(t, ["rank", "-q", "one", "-m", XLMR, file]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^bge-reranker: Line 2 of .*passages\.jsonl is not JSON: .* \[INPUT_INVALID\]\n$/);
});

test("rank: nothing to rank is no error, and no model is looked for", async (t) => {
  const { code, stdout, stderr } = await run(t, ["rank", "-q", "one", "-m", "/nowhere"], { input: "\n \n" });
  assert.deepEqual([code, stdout, stderr], [0, "", "bge-reranker: no passages to rank\n"]);
});

test("rank: a model that is not there, an option that the library refuses", async (t) => {
  const missing = await run(t, ["rank", "-q", "one", "-m", "./nowhere"], { input: "one" });
  assert.deepEqual([missing.code, missing.stdout], [1, ""]);
  assert.match(missing.stderr, /^bge-reranker: .*nowhere.* \[MODEL_NOT_FOUND\]\n$/);
  const long = await runInside(t, ["rank", "-q", "one", "-m", XLMR, "--max-length", "99999"], { input: "one" });
  assert.equal(long.code, 2);
  assert.match(long.stderr, /99999.*512/);
});

test("a reader that leaves early (| head) is no error", async (t) => {
  const { child, closed } = start(t, ["rank", "-q", "panda", "-m", XLMR]);
  child.stdin.end("some passage\n".repeat(5000));
  child.stdin.on("error", () => {});
  child.stdout.once("data", () => child.stdout.destroy());
  const [[code], stderr] = await Promise.all([closed, text(child.stderr)]);
  assert.deepEqual([code, stderr], [0, ""]);
});

test("on a terminal: columns that fit, colours unless NO_COLOR", { skip: !hasScript() && "needs script(1)" }, (t) => {
  const file = join(temporaryFolder(t), "passages.txt");
  writeFileSync(file, `${"熊猫".repeat(100)}\n${"panda ".repeat(100)}\n`);
  const onTerminal = (environment: string) => {
    const command = `stty cols 60; ${environment} ${process.execPath} ${MAIN} rank -q panda -m ${XLMR} ${file}`;
    const output = execFileSync("script", ["-qec", command, "/dev/null"], { encoding: "utf8", env: process.env });
    // What a bar drew before is wiped by the time the results come.
    return output.slice(output.lastIndexOf("\x1b[2K") + 4).replaceAll("\r", "");
  };
  const plain = onTerminal("NO_COLOR=1 TERM=xterm");
  assert.match(plain, /^1 {2}0\.\d{4} {2}[12] {2}.+…\n2 {2}0\.\d{4} {2}[12] {2}.+…\n$/);
  for (const line of plain.trimEnd().split("\n")) {
    const wide = line.match(/[熊猫]/g)?.length ?? 0;
    assert.ok([59, 60].includes(line.length + wide), line);
  }
  const coloured = onTerminal("NO_COLOR= TERM=xterm");
  assert.equal(stripVTControlCharacters(coloured), plain);
  assert.notEqual(coloured, plain);
});

function hasScript(): boolean {
  try {
    return execFileSync("script", ["--version"], { encoding: "utf8" }).includes("util-linux");
  } catch {
    return false;
  }
}

async function hub(t: Parameters<typeof run>[0]) {
  const server = await HubServer.start();
  t.after(() => server.close());
  const names = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(XLMR, name))]));
  const commit = server.addModel("lab/tiny", files);
  const env = { HF_ENDPOINT: server.endpoint, HF_HOME: temporaryFolder(t) };
  const folder = join(env.HF_HOME, "hub", "models--lab--tiny", "snapshots", commit);
  return { server, files, commit, env, folder };
}

test("download: folder and revision on stdout, a line for each file on stderr; then info and rank find it", async (t) => {
  const { server, files, commit, env, folder } = await hub(t);
  const before = await runInside(t, ["info", "lab/tiny"], { env });
  assert.equal(before.code, 1);
  assert.match(before.stdout, /problem .*bge-reranker download lab\/tiny/);
  assert.deepEqual(server.requests, []);

  const { code, stdout, stderr } = await run(t, ["download", "lab/tiny"], { env });
  assert.deepEqual([code, stdout], [0, `folder    ${folder}\nrevision  ${commit}\n`]);
  assert.deepEqual(
    stderr.split("\n").map((line) => line.split(":")[0]),
    [...Object.keys(files), ""],
  );
  for (const [name, content] of Object.entries(files)) assert.deepEqual(readFileSync(join(folder, name)), content);

  const again = await runInside(t, ["download", "lab/tiny", "--offline", "--json"], { env });
  const { files: paths, ...rest } = JSON.parse(again.stdout);
  assert.deepEqual(rest, { model: "lab/tiny", revision: commit, folder });
  assert.deepEqual(Object.keys(paths).sort(), Object.keys(files).sort());

  server.requests.length = 0;
  const after = await runInside(t, ["info", "lab/tiny", "--json"], { env });
  assert.deepEqual([after.code, JSON.parse(after.stdout).model.revision], [0, commit]);
  const ranked = await runInside(t, ["rank", "-q", "a", "-m", "lab/tiny", "--offline"], { env, input: "b\n" });
  assert.deepEqual([ranked.code, ranked.stderr], [0, ""]);
  assert.deepEqual(server.requests, []);
});

test("download: what the hub refuses is told in one line", async (t) => {
  const { server, env } = await hub(t);
  server.gated.set("lab/tiny", "hf_secret");
  const refused = await runInside(t, ["download", "lab/tiny"], { env });
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /^bge-reranker: .*HF_TOKEN.*\n$/);
  const opened = await runInside(t, ["download", "lab/tiny"], { env: { ...env, HF_TOKEN: "hf_secret" } });
  assert.equal(opened.code, 0);
});

/** How a process ends that Ctrl-C ended; shells make 130 of it. */
const INTERRUPTED = [null, "SIGINT"];

test("Ctrl-C while scoring or waiting for input: stopped at once, without a crash", async (t) => {
  for (const scoring of [true, false]) {
    const cache = temporaryFolder(t);
    const { child, closed } = start(t, ["rank", "-q", "this", "-m", XLMR], { BGE_RERANKER_CACHE: cache });
    child.stdin.on("error", () => {});
    const output = Promise.all([closed, text(child.stdout), text(child.stderr)]);
    // More than a pipe holds: once it is written, the command reads.
    await new Promise((done) => child.stdin.write("some passage about this and that\n".repeat(100_000), done));
    if (scoring) {
      child.stdin.end();
      // The last file that the load makes.
      const isLoaded = () => readdirSync(cache).some((name) => /\.onnx$/.test(name));
      while (!isLoaded()) await new Promise((done) => setTimeout(done, 20));
      await new Promise((done) => setTimeout(done, 200));
    }
    child.kill("SIGINT");
    assert.deepEqual(await output, [INTERRUPTED, "", "bge-reranker: stopped\n"]);
  }
});

test("Ctrl-C during a download: stopped at once, the next run goes on", async (t) => {
  const { server, files, env } = await hub(t);
  const weights = files["model.safetensors"]!;
  server.fail("cdn", new RegExp(sha256(weights)), 1, (response, request) =>
    sendPart(response, request, weights, 300_000, false),
  );
  const { child, closed } = start(t, ["download", "lab/tiny"], env);
  const sizeOf = (name: string) => statSync(join(env.HF_HOME, name), { throwIfNoEntry: false })?.size;
  const names = () => readdirSync(env.HF_HOME, { recursive: true, encoding: "utf8" });
  while (!names().some((name) => sizeOf(name) === 300_000)) await new Promise((done) => setTimeout(done, 20));
  child.kill("SIGINT");
  const [ended, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
  assert.deepEqual([ended, stdout], [INTERRUPTED, ""]);
  assert.match(stderr, /bge-reranker: stopped\n$/);
  assert.equal((await runInside(t, ["download", "lab/tiny"], { env })).code, 0);
  assert.equal(server.requests.at(-1)?.headers.range, "bytes=300000-");
});

test("info: versions, devices with reasons, caches, the model's facts", async (t) => {
  const { code, stdout, stderr } = await run(t, ["info", XLMR, "--json"], { env: { HF_TOKEN: "hf_secret" } });
  assert.deepEqual([code, stderr], [0, ""]);
  const { versions, machine, devices, hub, model } = JSON.parse(stdout);
  assert.equal(versions["bge-reranker"], version);
  assert.equal(versions.node, process.versions.node);
  const ort = JSON.parse(readFileSync(join(repoRoot, "node_modules/onnxruntime-node/package.json"), "utf8"));
  assert.equal(versions["onnxruntime-node"], ort.version);
  assert.ok(machine.cores >= 1);
  assert.deepEqual(devices.at(-1), { device: "cpu", outcome: "works", dtype: "fp32" });
  assert.deepEqual(hub, { endpoint: "https://huggingface.co", offline: false, token: true });
  assert.ok(!stdout.includes("hf_secret"));
  const config = JSON.parse(readFileSync(join(XLMR, "config.json"), "utf8"));
  assert.equal(model.network.layers, config.num_hidden_layers);
  assert.equal(model.network.vocabulary, config.vocab_size);
  const absent = await runInside(t, ["info", "--device", "coreml"]);
  if (process.platform === "darwin") return;
  assert.match(absent.stdout, /coreml +failed: .*coreml is for macOS/);
  assert.equal(absent.code, 1, "a device that was named has to work");
});

test("verify: a folder is what it holds, not what it is called", async (t) => {
  const unknown = await runInside(t, ["verify", XLMR]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /nothing was verified/);
  // Random weights: the scores cannot be BAAI's.
  const wrong = await runInside(t, ["verify", XLMR, "--as", "BAAI/bge-reranker-base"]);
  assert.deepEqual([wrong.code, wrong.stderr], [1, ""]);
  assert.equal(wrong.stdout.match(/^OFF /gm)?.length, 5);
  assert.match(wrong.stdout, /5 of 5 scores are not as published/);
});
