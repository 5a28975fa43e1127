import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { describe, it } from "node:test";
import { ContextualCompressionRetriever } from "@langchain/classic/retrievers/contextual_compression";
import { Document } from "@langchain/core/documents";
import { BaseRetriever } from "@langchain/core/retrievers";
import { RunnableLambda } from "@langchain/core/runnables";
import { BaseTracer, type Run } from "@langchain/core/tracers/base";
import { RetrieverQueryEngine, TextNode } from "llamaindex";
import { BgeReranker } from "../../src/adapters/langchain.js";
import { BgeRerankerPostprocessor } from "../../src/adapters/llamaindex.js";
import type { ScoreRequest, ScoreResult } from "../../src/request.js";
import type { RunOptions } from "../../src/rerankers/base.js";
import { OverlapReranker } from "../support/overlap.js";

const QUERY = "lamp battery";
const documents = ["a red lamp", "the battery of the lamp"].map((pageContent) => new Document({ pageContent }));
const nodes = documents.map(({ pageContent: text }) => ({ node: new TextNode({ text }), score: 1 }));

/** Works until its signal fires, which it tells. */
class Slow extends OverlapReranker {
  readonly #events = new EventEmitter();
  readonly started = once(this.#events, "started");
  readonly stopped = once(this.#events, "stopped");

  protected override run(_request: ScoreRequest, { signal }: RunOptions): Promise<ScoreResult> {
    const work = setInterval(() => {}, 1000);
    signal?.addEventListener("abort", () => {
      clearInterval(work);
      this.#events.emit("stopped");
    });
    this.#events.emit("started");
    return new Promise(() => {});
  }
}

class Retriever extends BaseRetriever {
  lc_namespace = ["test"];
  override async _getRelevantDocuments() {
    return documents;
  }
}

type Call = (reranker: Slow, signal: AbortSignal) => Promise<unknown>;

const compressing = (baseCompressor: BgeReranker) =>
  new ContextualCompressionRetriever({ baseRetriever: new Retriever(), baseCompressor });

const calls: Record<string, Call> = {
  "compressDocuments by an option": (reranker, signal) =>
    new BgeReranker({ reranker }).compressDocuments(documents, QUERY, undefined, { signal }),
  "rerank by an option": (reranker, signal) => new BgeReranker({ reranker }).rerank(documents, QUERY, { signal }),
  "postprocessNodes by an option": (reranker, signal) =>
    new BgeRerankerPostprocessor({ reranker }).postprocessNodes(nodes, QUERY, { signal }),
  "a retriever by the compressor's signal": (reranker, signal) =>
    compressing(new BgeReranker({ reranker, signal })).invoke(QUERY),
  "a query engine by the postprocessor's signal": (reranker, signal) => {
    const retriever = { retrieve: async () => nodes } as never;
    const postprocessor = new BgeRerankerPostprocessor({ reranker, signal });
    return new RetrieverQueryEngine(retriever, {} as never, [postprocessor]).retrieve(QUERY);
  },
  "a retriever in a chain by the chain's signal": (reranker, signal) => {
    const retriever = compressing(new BgeReranker({ reranker }));
    return RunnableLambda.from((query: string) => retriever.invoke(query)).invoke(QUERY, { signal });
  },
  "rerank in a chain by the chain's signal": (reranker, signal) => {
    const adapter = new BgeReranker({ reranker });
    return RunnableLambda.from((query: string) => adapter.rerank(documents, query)).invoke(QUERY, { signal });
  },
};

describe("an abort ends", () => {
  for (const [name, call] of Object.entries(calls)) {
    it(name, async () => {
      const reranker = new Slow();
      const controller = new AbortController();
      const ended = assert.rejects(call(reranker, controller.signal));
      await reranker.started;
      controller.abort();
      await Promise.all([ended, reranker.stopped]);
    });
  }

  it("nothing of another call", async () => {
    const adapter = new BgeReranker({ reranker: new OverlapReranker(), signal: new AbortController().signal });
    const aborted = AbortSignal.abort();
    await assert.rejects(adapter.rerank(documents, QUERY, { signal: aborted }), { code: "ABORTED" });
    assert.equal((await adapter.rerank(documents, QUERY)).length, 2);
  });
});

describe("progress is told", () => {
  for (const [name, call] of Object.entries({
    compressDocuments: (onProgress: () => void) =>
      new BgeReranker({ reranker: new OverlapReranker() }).compressDocuments(documents, QUERY, [], { onProgress }),
    rerank: (onProgress: () => void) =>
      new BgeReranker({ reranker: new OverlapReranker() }).rerank(documents, QUERY, { onProgress }),
    postprocessNodes: (onProgress: () => void) =>
      new BgeRerankerPostprocessor({ reranker: new OverlapReranker() }).postprocessNodes(nodes, QUERY, { onProgress }),
  })) {
    it(`by ${name}`, async () => {
      const seen: unknown[] = [];
      await call((...told: unknown[]) => void seen.push(told));
      assert.deepEqual(seen.at(-1), [2, 2]);
    });
  }

  it("to a function only", async () => {
    const wrong = { onProgress: 1 } as never;
    const lang = new BgeReranker({ reranker: new OverlapReranker() });
    const llama = new BgeRerankerPostprocessor({ reranker: new OverlapReranker() });
    await assert.rejects(lang.compressDocuments(documents, QUERY, [], wrong), { code: "OPTION_INVALID" });
    await assert.rejects(llama.postprocessNodes(nodes, QUERY, wrong), { code: "OPTION_INVALID" });
  });
});

it("there is a child run although nobody passes callbacks on", async () => {
  const names: string[] = [];
  class Recorder extends BaseTracer {
    override name = "recorder";
    override awaitHandlers = true;
    protected override async persistRun(run: Run) {
      names.push(run.name, ...run.child_runs.map(({ name }) => name));
    }
  }
  const adapter = new BgeReranker({ reranker: new OverlapReranker() });
  const chain = RunnableLambda.from((query: string) => adapter.compressDocuments(documents, query));
  await chain.invoke(QUERY, { callbacks: [new Recorder()] });
  assert.deepEqual(names, ["RunnableLambda", "BgeReranker"]);
});

describe("what is no list, or no document, is refused", () => {
  const lang = new BgeReranker({ reranker: new OverlapReranker() });
  const llama = new BgeRerankerPostprocessor({ reranker: new OverlapReranker() });
  for (const wrong of [null, undefined, "text", { length: 1 }, [null], [undefined], new Array(1)] as never[]) {
    it(`such as ${JSON.stringify(wrong)}`, async () => {
      await assert.rejects(lang.compressDocuments(wrong, QUERY), { code: "INPUT_INVALID" });
      await assert.rejects(lang.rerank(wrong, QUERY), { code: "INPUT_INVALID" });
      await assert.rejects(llama.postprocessNodes(wrong, QUERY), { code: "INPUT_INVALID" });
    });
  }

  it("and so is a query of nothing", async () => {
    await assert.rejects(llama.postprocessNodes(nodes, [null] as never), { code: "INPUT_INVALID" });
    await assert.rejects(lang.compressDocuments(documents, null as never), { code: "INPUT_INVALID" });
  });
});
