import { createInterface } from "node:readline/promises";
import { parseArgs, styleText } from "node:util";
import "./process.js";
import { exampleDocs } from "./sections.js";

/** A passage that an answer rests on. */
export interface Source {
  title: string;
  file: string;
  text: string;
  /** Relevance between 0 and 1. */
  score: number;
}

export const dim = (text: string) => (process.stdout.isTTY ? styleText("dim", text) : text);
export const bold = (text: string) => (process.stdout.isTTY ? styleText("bold", text) : text);

/** The command line of the chatbots: `[--docs FOLDER] [--model MODEL] [QUESTION]`. */
export function chatArguments(): { docs: string; model: string; question: string } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { docs: { type: "string", default: exampleDocs }, model: { type: "string", default: "mini" } },
  });
  return { ...values, question: positionals.join(" ") };
}

/** Answer the one question, or, without one, what people type until they press Ctrl-D. */
export async function chat(question: string, answer: (question: string) => Promise<void>): Promise<void> {
  if (question) return answer(question);
  console.log(dim("Ask a question; Ctrl-D ends."));
  const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt: bold("\n? ") });
  terminal.prompt();
  for await (const line of terminal) {
    try {
      if (line.trim()) await answer(line.trim());
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
    }
    terminal.prompt();
  }
}

/** The answer of a machine without a language model: the best passages themselves. */
export function quote(sources: readonly Source[]): void {
  const found = "No language model is set (OPENAI_BASE_URL or OLLAMA_HOST), so these are the best passages, unchanged:";
  const nothing = "The documents have no passage that shares a word with the question.";
  console.log(dim(`\n${sources.length > 0 ? found : nothing}`));
  for (const [place, { title, text }] of sources.entries()) {
    console.log(`\n${bold(`[${place + 1}] ${title}`)}\n${text}`);
  }
}

/** Citations: number, score, where. */
export function listSources(sources: readonly Source[]): void {
  if (sources.length > 0) console.log(bold("\nSources"));
  for (const [place, { title, file, score }] of sources.entries()) {
    console.log(`  [${place + 1}] ${score.toFixed(3)}  ${title}  ${dim(file)}`);
  }
}
