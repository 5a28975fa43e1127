import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, renameSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { startChatServer } from "../support/chat-server.js";
import { temporaryFolder } from "../support/paths.js";

const REFUND = "Can I get my money back if I cancel?";

/** Starts a compiled example with no language model in its environment but the given one. */
function spawnExample(name: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const script = fileURLToPath(new URL(`../../examples/${name}.js`, import.meta.url));
  const { OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL, OLLAMA_HOST, OLLAMA_MODEL, ...clean } = process.env;
  // With our own flags, so that what guards these tests guards the examples.
  return spawn(process.execPath, [...process.execArgv, script, ...args], {
    env: { ...clean, ...env },
    timeout: 120_000,
  });
}

const closed = (child: ChildProcess) => new Promise((resolve) => child.on("close", resolve));

async function run(name: string, args: string[] = [], { env = {}, input = "" } = {}): Promise<string> {
  const child = spawnExample(name, args, env);
  child.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed(child)]);
  assert.equal(code, 0, `${name} failed:\n${stderr}\n${stdout}`);
  return stdout;
}

/** The scores that a text shows, in its order. */
function scoresIn(output: string): number[] {
  return (output.match(/\b[01]\.\d{3}\b/g) ?? []).map(Number);
}

function assertDescending(scores: number[], count: number): void {
  assert.equal(scores.length, count);
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
}

describe("examples", () => {
  it("core: ranks in English and Chinese", async () => {
    const output = await run("core");
    const [english, chinese, pair] = output.split(/(?=如何更换|Raw score)/) as [string, string, string];
    assertDescending(scoresIn(english), 3);
    assertDescending(scoresIn(chinese), 3);
    for (const answers of [english, chinese]) {
      const [first] = answers.match(/^ {2}[01]\..+$/gm)!;
      assert.match(first!, /failed disk|损坏的硬盘/);
    }
    assert.match(pair, /one pair: -?\d+\.\d\d/);
  });

  it("langchain-compression: shows what moved", async () => {
    const output = await run("langchain-compression");
    assertDescending(scoresIn(output), 3);
    assert.match(output, /Moving to another office\s+\(was number [2-9]\)/);
  });

  it("llamaindex-query-engine: shows what the model gets to read", async () => {
    const output = await run("llamaindex-query-engine");
    assertDescending(scoresIn(output), 3);
    assert.match(output, /When the passphrase is lost/);
    assert.match(output, /Set OPENAI_BASE_URL or OLLAMA_HOST/);
  });

  it("llamaindex-query-engine: has the question answered where there is a model", async () => {
    await using server = await startChatServer("They are gone.");
    const output = await run("llamaindex-query-engine", [], { env: { OLLAMA_HOST: server.host } });
    assert.match(output, /They are gone\./);
    assert.match(server.requests[0]!.body.messages.at(-1)!.content, /We cannot recover it and have no second key/);
  });

  it("ai-sdk: ranks two of four", async () => {
    const output = await run("ai-sdk");
    assertDescending(scoresIn(output), 2);
    assert.match(output, /orange, blinking/);
  });
});

describe("every example", () => {
  for (const name of ["core", "ai-sdk", "langchain-compression", "llamaindex-query-engine", "rag-chatbot-langchain"]) {
    it(`${name} ends in peace when its reader has seen enough`, async () => {
      const child = spawnExample(name, name.startsWith("rag") ? [REFUND] : []);
      child.stdout.destroy();
      const [stderr, code] = await Promise.all([text(child.stderr), closed(child)]);
      assert.deepEqual([code, stderr], [0, ""]);
    });
  }

  for (const name of ["rag-chatbot-langchain", "rag-chatbot-llamaindex"]) {
    it(`${name} tells an error in one line`, async () => {
      await using server = await startChatServer("", 500);
      const child = spawnExample(name, [REFUND], { OLLAMA_HOST: server.host });
      const [stderr, code] = await Promise.all([text(child.stderr), closed(child)]);
      assert.equal(code, 1);
      assert.match(stderr, /^http.* answered 500: .*\n$/);
    });
  }
});

for (const name of ["rag-chatbot-langchain", "rag-chatbot-llamaindex"]) {
  describe(name, () => {
    it("quotes the best passages of the folder that it is given, and says so, without a language model", async (t) => {
      const folder = temporaryFolder(t);
      cpSync(fileURLToPath(new URL("../../../examples/docs/", import.meta.url)), folder, { recursive: true });
      renameSync(join(folder, "billing.md"), join(folder, "money.md"));
      const output = await run(name, ["--docs", folder, REFUND]);
      assert.match(output, /No language model is set/);
      assert.match(output, /cancel within 30 days, we return the whole amount/);
      const sources = output.slice(output.indexOf("Sources"));
      assertDescending(scoresIn(sources), 3);
      assert.match(sources, /\[1\] \d\.\d{3} {2}.+ › .+ {2}\S+\.md/);
      assert.match(sources, /Plans and billing › Refunds {2}money\.md/);
    });

    it("talks on through a pipe, after a failure too, in English and Chinese, and remembers what was said", async () => {
      const warranty = "How long is the warranty?";
      const down = "Is the warranty worldwide?";
      await using server = await startChatServer("Yes, within 30 days [1].", (asked) => (asked === down ? 500 : 200));
      const env = { OPENAI_BASE_URL: `http://${server.host}/v1`, OPENAI_API_KEY: "k", OPENAI_MODEL: "m" };
      const questions = [REFUND, "", down, warranty, "忘记恢复口令怎么办？", "xyzzy"];
      const output = await run(name, [], { env, input: `${questions.join("\n")}\n` });
      assert.equal(output.split("Yes, within 30 days [1].").length, 5);
      assert.equal(output.split("Sources").length, 4);
      assert.equal(server.requests.length, 5);
      const { body, authorization } = server.requests[0]!;
      assert.deepEqual([body.model, body.stream, authorization], ["m", true, "Bearer k"]);
      const [first, failed, second, chinese, nothing] = server.requests.map(({ body }) =>
        body.messages.map(({ role, content }) => [role, content] as const),
      );
      const [role, instructions] = first![0]!;
      assert.equal(role, "system");
      assert.match(instructions, /\[1\] .+[\s\S]*\[2\] .+[\s\S]*\[3\] /);
      assert.doesNotMatch(instructions, /\[4\] /);
      assert.match(instructions, /we return the whole amount/);
      assert.deepEqual(first!.slice(1), [["user", REFUND]]);
      assert.deepEqual(failed!.at(-1), ["user", down]);
      // LlamaIndex remembers a question that was not answered, too.
      const unanswered = name.endsWith("llamaindex") ? [["user", down]] : [];
      assert.deepEqual(second!.slice(1), [
        ["user", REFUND],
        ["assistant", "Yes, within 30 days [1]."],
        ...unanswered,
        ["user", warranty],
      ]);
      assert.match(second![0]![1], /warranty of five years/);
      assert.match(output, /Plans and billing › Refunds {2}billing\.md/);
      assert.match(chinese![0]![1], /我们无法找回恢复口令/);
      assert.match(output, /zh-encryption\.md/);
      // Keeps its instructions where nothing was found.
      assert.match(nothing![0]![1], /only from .*passages[\s\S]*If they do not hold the answer/);
    });
  });
}
