import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Document } from "@langchain/core/documents";
import { rerank } from "ai";
import { type NodeWithScore, TextNode } from "llamaindex";
import { bgeReranker } from "../../src/adapters/ai-sdk.js";
import { BgeReranker } from "../../src/adapters/langchain.js";
import { BgeRerankerPostprocessor } from "../../src/adapters/llamaindex.js";
import type { RankingOptions } from "../../src/adapters/ranking.js";
import { RerankError } from "../../src/errors.js";
import type { ScoreRequest, ScoreResult } from "../../src/request.js";
import type { RunOptions } from "../../src/rerankers/base.js";
import type { Reranker } from "../../src/types.js";
import { OverlapReranker } from "../support/overlap.js";

const QUERY = "lamp battery";
const TEXTS = ["a red lamp", "the battery of the lamp", "nothing"];

class Failing extends OverlapReranker {
  protected override run(): Promise<ScoreResult> {
    return Promise.reject(new RerankError("REMOTE_FAILED", "the engine is gone"));
  }
}

/** Works on and never answers. */
class Stuck extends OverlapReranker {
  protected override run(_request: ScoreRequest, { signal }: RunOptions): Promise<ScoreResult> {
    const work = setInterval(() => {}, 1000);
    signal?.addEventListener("abort", () => clearInterval(work));
    return new Promise(() => {});
  }
}

type Options = RankingOptions & { reranker: Reranker };
type Result = { text: string; score: unknown }[];

/** How each adapter ranks TEXTS, the best two. */
const adapters: Record<string, (options: Options, call?: { signal: AbortSignal }) => () => Promise<Result>> = {
  BgeReranker: (options, call) => {
    const adapter = new BgeReranker({ ...options, topN: 2 });
    const documents: Document[] = TEXTS.map((pageContent) => new Document({ pageContent, metadata: { page: 1 } }));
    return async () => {
      const found = await adapter.compressDocuments(documents, QUERY, undefined, call);
      for (const document of found) assert.equal(document.metadata.page, 1);
      return found.map(({ pageContent, metadata }) => ({ text: pageContent, score: metadata.relevanceScore }));
    };
  },
  BgeRerankerPostprocessor: (options, call) => {
    const adapter = new BgeRerankerPostprocessor({ ...options, topN: 2 });
    const nodes: NodeWithScore[] = TEXTS.map((text) => ({ node: new TextNode({ text }), score: 0.5 }));
    return async () => {
      const found = await adapter.postprocessNodes(nodes, QUERY, call);
      for (const wrapper of found) assert.ok(!nodes.includes(wrapper));
      return found.map(({ node, score }) => ({ text: (node as TextNode).text, score }));
    };
  },
  bgeReranker: (options, call) => {
    const model = bgeReranker(options);
    return async () => {
      const { ranking } = await rerank({ model, query: QUERY, documents: TEXTS, topN: 2, abortSignal: call?.signal });
      return ranking.map(({ document, score }) => ({ text: document, score: Number.isNaN(score) ? undefined : score }));
    };
  },
};

const KEPT = [
  { text: TEXTS[0], score: undefined },
  { text: TEXTS[1], score: undefined },
];

/** The warnings of this package that are emitted from here on. */
function warningsOf(t: TestContext): string[] {
  const warnings: string[] = [];
  t.mock.method(process, "emitWarning", (message: string) => void warnings.push(message));
  return warnings;
}

for (const [name, make] of Object.entries(adapters)) {
  describe(`a failure behind ${name}`, () => {
    it("is thrown unless it says otherwise", async (t) => {
      const warnings = warningsOf(t);
      await assert.rejects(make({ reranker: new Failing() })(), { code: "REMOTE_FAILED" });
      await assert.rejects(make({ reranker: new Failing(), onFailure: "throw" })(), { code: "REMOTE_FAILED" });
      await assert.rejects(make({ reranker: new Stuck(), timeout: 20 })(), { code: "TIMEOUT" });
      assert.deepEqual(warnings, []);
    });

    it("keeps the retriever's order with keep-order, warns once and is reported each time", async (t) => {
      const warnings = warningsOf(t);
      const errors: unknown[] = [];
      const onError = (error: unknown) => void errors.push(error);
      const call = make({ reranker: new Failing(), onFailure: "keep-order", onError, scoreThreshold: 0.9 });
      assert.deepEqual(await call(), KEPT);
      assert.deepEqual(await call(), KEPT);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0]!, new RegExp(`^${name} could not rerank .*the engine is gone$`));
      assert.deepEqual(
        errors.map((error) => (error as RerankError).code),
        ["REMOTE_FAILED", "REMOTE_FAILED"],
      );
    });

    it("is one that takes too long, too", async (t) => {
      warningsOf(t);
      let code: string | undefined;
      const onError = (error: unknown) => {
        ({ code } = error as RerankError);
      };
      const options = { reranker: new Stuck(), timeout: 20, onFailure: "keep-order", onError } as const;
      assert.deepEqual(await make(options)(), KEPT);
      assert.equal(code, "TIMEOUT");
    });

    it("is not an abort", async (t) => {
      const warnings = warningsOf(t);
      const controller = new AbortController();
      const call = make({ reranker: new Stuck(), onFailure: "keep-order" }, { signal: controller.signal })();
      setTimeout(() => controller.abort(), 10);
      await assert.rejects(call, { code: "ABORTED" });
      assert.deepEqual(warnings, []);
    });

    it("changes nothing where there is none", async (t) => {
      const warnings = warningsOf(t);
      const [best] = await make({ reranker: new OverlapReranker(), timeout: 5000, onFailure: "keep-order" })();
      assert.equal(best!.text, TEXTS[1]);
      assert.equal(typeof best!.score, "number");
      assert.deepEqual(warnings, []);
    });

    for (const [option, message] of [
      [{ onFailure: "ignore" }, /onFailure must be one of "throw", "keep-order", got "ignore"/],
      [{ onError: true }, /onError must be a function/],
      [{ timeout: 0 }, /timeout must be an integer from 1/],
    ] as [object, RegExp][]) {
      it(`refuses ${JSON.stringify(option)}`, () => {
        assert.throws(() => make({ reranker: new OverlapReranker(), ...option }), { code: "OPTION_INVALID", message });
      });
    }
  });
}

it("BgeReranker.rerank throws all the same: without scores it has nothing to return", async () => {
  const adapter = new BgeReranker({ reranker: new Failing(), onFailure: "keep-order" });
  await assert.rejects(adapter.rerank(TEXTS, QUERY), { code: "REMOTE_FAILED" });
});

it("bgeReranker says in a warning of the AI SDK that it kept the order", async (t) => {
  warningsOf(t);
  const model = bgeReranker({ reranker: new Failing(), onFailure: "keep-order" });
  const documents = { type: "text" as const, values: TEXTS };
  const { ranking, warnings } = await model.doRerank({ documents, query: QUERY });
  assert.deepEqual(
    ranking.map(({ index }) => index),
    [0, 1, 2],
  );
  assert.match(JSON.stringify(warnings), /Reranking failed: the documents keep their order/);
});
