import { Document } from "@langchain/core/documents";
import { BaseRetriever } from "@langchain/core/retrievers";
import { Bm25 } from "./bm25.js";
import type { Section } from "./sections.js";

/** BM25 over sections as a LangChain retriever; a vector store's would do as well. */
export class Bm25Retriever extends BaseRetriever {
  lc_namespace = ["examples"];
  readonly #index: Bm25;

  constructor(
    private readonly sections: readonly Section[],
    private readonly limit = 20,
  ) {
    super();
    this.#index = new Bm25(sections.map(({ title, text }) => `${title}\n${text}`));
  }

  override async _getRelevantDocuments(query: string): Promise<Document[]> {
    return this.#index.search(query, this.limit).map(({ index, score }) => {
      const { id, file, title, text } = this.sections[index]!;
      return new Document({ id, pageContent: `${title}\n${text}`, metadata: { file, title, bm25: score } });
    });
  }
}
