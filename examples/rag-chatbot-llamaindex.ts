// A RAG chatbot for the terminal with LlamaIndex: Markdown files, BM25, a local reranker, any language model.
//   node dist/examples/rag-chatbot-llamaindex.js [--docs FOLDER] [--model MODEL] [QUESTION]

import { BgeRerankerPostprocessor } from "bge-reranker/llamaindex";
import {
  type BaseNodePostprocessor,
  ContextChatEngine,
  type NodeWithScore,
  PromptTemplate,
  TextNode,
} from "llamaindex";
import { endpointFromEnvironment } from "./support/chat-model.js";
import { EndpointLLM } from "./support/endpoint-llm.js";
import { Bm25Retriever } from "./support/llamaindex-bm25.js";
import { loadSections } from "./support/sections.js";
import { chat, chatArguments, listSources, quote, type Source } from "./support/terminal.js";

const { docs, model, question } = chatArguments();
const retriever = new Bm25Retriever(await loadSections(docs), 20);
// BM25 has a say, too: a small reranker and shared words together are better than either.
const reranker = new BgeRerankerPostprocessor({ model, topN: 3, retrievalWeight: 0.5 });

/** Numbers the passages, so that the language model can cite them. */
const numbering: BaseNodePostprocessor = {
  async postprocessNodes(nodes) {
    return nodes.map(({ node, score }, place) => ({ node: numbered(node, place + 1), score }));
  },
};

// The context's own prompt is left out when nothing was found; the instructions hold all the same.
const systemPrompt = `Answer in the language of the question, only from the passages below, and cite them by number like [1].
If they do not hold the answer, say so.`;
const contextSystemPrompt = new PromptTemplate({ templateVars: ["context"], template: "\n{context}" });

const endpoint = endpointFromEnvironment();
const engine =
  endpoint &&
  new ContextChatEngine({
    chatModel: new EndpointLLM(endpoint),
    retriever,
    nodePostprocessors: [reranker, numbering],
    systemPrompt,
    contextSystemPrompt,
  });

async function answer(question: string): Promise<void> {
  let nodes: NodeWithScore[] = [];
  if (engine) {
    for await (const { delta, sourceNodes = [] } of await engine.chat({ message: question, stream: true })) {
      process.stdout.write(delta);
      nodes = sourceNodes;
    }
    console.log();
  } else {
    nodes = await reranker.postprocessNodes(await retriever.retrieve(question), question);
    quote(nodes.map(toSource));
  }
  listSources(nodes.map(toSource));
}

function numbered(node: NodeWithScore["node"], number: number): TextNode {
  const { title, file, text } = toSource({ node });
  return new TextNode({
    text: `[${number}] ${title}\n${text}`,
    metadata: { title, file },
    excludedLlmMetadataKeys: ["title", "file"],
  });
}

function toSource({ node, score = 0 }: NodeWithScore): Source {
  const { title, file } = node.metadata;
  return { title, file, text: node instanceof TextNode ? node.text : "", score };
}

await chat(question, answer);
await reranker.dispose();
