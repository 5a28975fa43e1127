import { BaseRetriever, type NodeWithScore, type QueryBundle, TextNode } from "llamaindex";
import { Bm25 } from "./bm25.js";
import type { Section } from "./sections.js";

/** BM25 over sections as a LlamaIndex retriever; a vector index's would do as well. */
export class Bm25Retriever extends BaseRetriever {
  readonly #index: Bm25;
  readonly #nodes: TextNode[];

  constructor(
    sections: readonly Section[],
    private readonly limit = 20,
  ) {
    super();
    this.#index = new Bm25(sections.map(({ title, text }) => `${title}\n${text}`));
    this.#nodes = sections.map(
      ({ id, file, title, text }) =>
        new TextNode({ id_: id, text, metadata: { title, file }, excludedEmbedMetadataKeys: ["file"] }),
    );
  }

  override async _retrieve({ query }: QueryBundle): Promise<NodeWithScore[]> {
    const text =
      typeof query === "string" ? query : query.map((part) => (part.type === "text" ? part.text : "")).join();
    return this.#index.search(text, this.limit).map(({ index, score }) => ({ node: this.#nodes[index]!, score }));
  }
}
