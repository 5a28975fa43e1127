// AI SDK: a local model for its rerank function.
import { rerank } from "ai";
import { bgeReranker } from "bge-reranker/ai-sdk";
import "./support/process.js";

const model = bgeReranker({ model: "mini" });

const { ranking } = await rerank({
  model,
  query: "What does an orange blinking light mean?",
  documents: [
    "green, steady: all is well",
    "orange, blinking: no network",
    "red, blinking: too hot; the box shuts down in two minutes",
    "One short beep: started. Three short beeps: shutting down.",
  ],
  topN: 2,
});

for (const { score, document } of ranking) console.log(`${score.toFixed(3)}  ${document}`);

await model.dispose();
