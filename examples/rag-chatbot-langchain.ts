// A RAG chatbot for the terminal with LangChain: Markdown files, BM25, a local reranker, any language model.
//   node dist/examples/rag-chatbot-langchain.js [--docs FOLDER] [--model MODEL] [QUESTION]
import { ContextualCompressionRetriever } from "@langchain/classic/retrievers/contextual_compression";
import { BgeReranker } from "bge-reranker/langchain";
import { endpointFromEnvironment, type Message, streamChat } from "./support/chat-model.js";
import { Bm25Retriever } from "./support/langchain-bm25.js";
import { loadSections } from "./support/sections.js";
import { chat, chatArguments, listSources, quote, type Source } from "./support/terminal.js";

const { docs, model, question } = chatArguments();
const sections = await loadSections(docs);
// BM25 has a say, too: a small reranker and shared words together are better than either.
const reranker = new BgeReranker({ model, topN: 3, retrievalScoreKey: "bm25" });
const retriever = new ContextualCompressionRetriever({
  baseRetriever: new Bm25Retriever(sections, 20),
  baseCompressor: reranker,
});

const endpoint = endpointFromEnvironment();
const history: Message[] = [];

async function answer(question: string): Promise<void> {
  const documents = await retriever.invoke(question);
  const sources = documents.map(
    ({ pageContent, metadata: { title, file, relevanceScore } }): Source => ({
      title,
      file,
      text: pageContent.slice(title.length + 1),
      score: relevanceScore,
    }),
  );
  if (endpoint) {
    const system: Message = { role: "system", content: instructions(sources) };
    const asked: Message = { role: "user", content: question };
    let reply = "";
    for await (const text of streamChat(endpoint, [system, ...history.slice(-7), asked])) {
      process.stdout.write(text);
      reply += text;
    }
    // Only now: what was not answered would be asked again with every further question.
    history.push(asked, { role: "assistant", content: reply });
    console.log();
  } else {
    quote(sources);
  }
  listSources(sources);
}

function instructions(sources: readonly Source[]): string {
  const passages = sources.map(({ title, text }, place) => `[${place + 1}] ${title}\n${text}`).join("\n\n");
  return `Answer in the language of the question, only from these passages, and cite them by number like [1].
If they do not hold the answer, say so.\n\n${passages}`;
}

await chat(question, answer);
await reranker.dispose();
