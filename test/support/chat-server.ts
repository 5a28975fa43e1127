import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface ChatRequest {
  path: string;
  authorization: string | undefined;
  body: { model: string; stream: boolean; messages: { role: string; content: string }[] };
}

/**
 * A loopback server that streams `answer` as an OpenAI-compatible endpoint does, in awkward pieces.
 * @param answer what the model says, or the body of the response as it is
 * @param status of the response, which may depend on the question
 */
export async function startChatServer(
  answer: string | { body: string },
  status: number | ((question: string) => number) = 200,
) {
  const requests: ChatRequest[] = [];
  const server = createServer(async (request, response) => {
    const { url = "", headers } = request;
    const body: ChatRequest["body"] = JSON.parse(await text(request));
    requests.push({ path: url, authorization: headers.authorization, body });
    const code = typeof status === "number" ? status : status(body.messages.at(-1)!.content);
    if (code !== 200) {
      response.writeHead(code).end('{"error":{"message":"no such model"}}');
      return;
    }
    if (typeof answer === "object") {
      response.end(answer.body);
      return;
    }
    const events = [...answer].map((content) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
    const bytes = Buffer.from(`: comment\n\n${events.join("")}data: {"choices":[]}\n\ndata: [DONE]\n\n`);
    response.writeHead(200, { "content-type": "text/event-stream" });
    // Cuts fall within lines and within characters.
    for (let start = 0; start < bytes.length; start += 7) response.write(bytes.subarray(start, start + 7));
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
