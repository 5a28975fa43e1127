import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { Document } from "@langchain/core/documents";
import { TextNode } from "llamaindex";
import { bgeReranker } from "../../src/adapters/ai-sdk.js";
import { BgeReranker } from "../../src/adapters/langchain.js";
import { BgeRerankerPostprocessor } from "../../src/adapters/llamaindex.js";
import { OverlapReranker } from "../support/overlap.js";
import { temporaryFolder } from "../support/paths.js";

it("every adapter returns chances with a calibration, given as a path or as its content", async (t) => {
  const content = { scale: 0.5, offset: -1, model: "overlap" };
  const file = join(temporaryFolder(t), "calibration.json");
  writeFileSync(file, JSON.stringify(content));
  // All of the query's words: a logit of 3.
  const [query, text, expected] = ["lamp battery", "the battery of the lamp", 1 / (1 + Math.exp(1 - 0.5 * 3))];
  for (const calibration of [content, file]) {
    const options = { reranker: new OverlapReranker(), calibration };
    const [document] = await new BgeReranker(options).compressDocuments([new Document({ pageContent: text })], query);
    const [node] = await new BgeRerankerPostprocessor(options).postprocessNodes(
      [{ node: new TextNode({ text }) }],
      query,
    );
    const { ranking } = await bgeReranker(options).doRerank({ query, documents: { type: "text", values: [text] } });
    for (const score of [document?.metadata.relevanceScore, node?.score, ranking[0]?.relevanceScore]) {
      assert.ok(Math.abs(score - expected) < 1e-12, `${score}`);
    }
  }
});
