import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endpointFromEnvironment, streamChat } from "../../examples/support/chat-model.js";
import { startChatServer } from "../support/chat-server.js";

describe("endpointFromEnvironment", () => {
  for (const [env, expected] of [
    [{}, undefined],
    [{ OPENAI_MODEL: "x" }, undefined],
    [{ OPENAI_API_KEY: "k" }, undefined],
    [
      { OPENAI_BASE_URL: "https://api.openai.com/v1", OPENAI_API_KEY: "k" },
      { url: "https://api.openai.com/v1", model: "gpt-4o-mini", key: "k" },
    ],
    [{ OLLAMA_HOST: "localhost" }, { url: "http://localhost:11434/v1", model: "llama3.2", key: undefined }],
    [{ OLLAMA_HOST: "0.0.0.0:8000/" }, { url: "http://127.0.0.1:8000/v1", model: "llama3.2", key: undefined }],
    [{ OLLAMA_HOST: "0.0.0.0" }, { url: "http://127.0.0.1:11434/v1", model: "llama3.2", key: undefined }],
    [
      { OPENAI_BASE_URL: "http://h/v1", OPENAI_MODEL: "m", OLLAMA_HOST: "o" },
      { url: "http://h/v1", model: "m", key: undefined },
    ],
    [{ OLLAMA_HOST: "box:1" }, { url: "http://box:1/v1", model: "llama3.2", key: undefined }],
    [{ OLLAMA_HOST: "https://box" }, { url: "https://box/v1", model: "llama3.2", key: undefined }],
    [{ OLLAMA_MODEL: "qwen3" }, { url: "http://127.0.0.1:11434/v1", model: "qwen3", key: undefined }],
  ] as const) {
    it(`from ${JSON.stringify(env)}`, () => assert.deepEqual(endpointFromEnvironment(env), expected));
  }
});

describe("streamChat", () => {
  const messages = [{ role: "user" as const, content: "hi" }];

  it("yields what the model says, however the bytes are cut", async () => {
    await using server = await startChatServer("Nine hours — 九小时 🙂");
    const endpoint = { url: `http://${server.host}/v1/`, model: "m", key: "k" };
    let answer = "";
    for await (const text of streamChat(endpoint, messages)) answer += text;
    assert.equal(answer, "Nine hours — 九小时 🙂");
    assert.deepEqual(server.requests, [
      { path: "/v1/chat/completions", authorization: "Bearer k", body: { model: "m", messages, stream: true } },
    ]);
  });

  it("passes on what the endpoint complains of", async () => {
    await using server = await startChatServer("", 404);
    const endpoint = { url: `http://${server.host}/v1`, model: "m", key: undefined };
    await assert.rejects(streamChat(endpoint, messages).next(), /answered 404: .*no such model/);
    assert.equal(server.requests[0]!.authorization, undefined);
  });

  const streaming = async (body: string) => {
    await using server = await startChatServer({ body });
    let answer = "";
    const endpoint = { url: `http://${server.host}/v1`, model: "m", key: undefined };
    for await (const text of streamChat(endpoint, messages)) answer += text;
    return answer;
  };
  const said = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}`;

  it("passes on an error inside the stream", async () => {
    const error = 'data: {"error":{"message":"out of tokens"}}';
    await assert.rejects(streaming(`${said("Nine")}\n\n${error}\n\n`), /broke off: out of tokens/);
  });

  it("reads a last line without a line break", async () => {
    assert.equal(await streaming(`${said("Nine ")}\n\n${said("hours.")}`), "Nine hours.");
  });

  it("does not take a page for an answer", async () => {
    await assert.rejects(streaming("<html>Log in"), /no OpenAI-compatible endpoint; it said: <html>Log in/);
  });
});
