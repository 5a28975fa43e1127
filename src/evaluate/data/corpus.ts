import { RerankError, show } from "../../errors.js";
import type { Passage } from "../first-stage/bm25.js";
import { badLine, type Line, type OnRead, type Place, PlacedFile, parseObject, readLines } from "./lines.js";

/** A collection in a file of JSON lines `{ _id | id, title?, text }`, of which only single passages lie in memory. */
export class Corpus {
  readonly #places = new Map<string, Place>();
  readonly #file: PlacedFile;

  constructor(private readonly path: string) {
    this.#file = new PlacedFile(path);
  }

  /** All passages, in the order of the file. */
  async *passages(onRead?: OnRead): AsyncGenerator<Passage> {
    for await (const line of readLines(this.path, onRead)) yield passageOn(this.path, line);
  }

  /**
   * Finds the passages whose texts will be asked for.
   * @throws RerankError `INPUT_INVALID` when one is missing, or there twice
   */
  async locate(ids: ReadonlySet<string>, onRead?: OnRead): Promise<void> {
    for await (const line of readLines(this.path, onRead)) {
      const { id } = passageOn(this.path, line);
      if (!ids.has(id)) continue;
      if (this.#places.has(id)) throw badLine(this.path, line, `the id ${show(id)} stands here for the second time`);
      this.#places.set(id, line.place);
    }
    for (const id of ids) {
      if (!this.#places.has(id)) throw new RerankError("INPUT_INVALID", `${this.path} has no passage ${show(id)}.`);
    }
  }

  /** Texts of passages that have been located. */
  texts(ids: readonly string[]): Promise<string[]> {
    return Promise.all(
      ids.map(async (id) => {
        const place = this.#places.get(id)!;
        return passageOn(this.path, { text: await this.#file.read(place), number: 0, place }).text;
      }),
    );
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** As BEIR does it, the title comes first. */
function passageOn(file: string, line: Line): Passage {
  const object = parseObject(file, line);
  const { title = "", text } = object;
  if (typeof text !== "string") throw badLine(file, line, `expected a string in "text", got ${show(text)}`);
  if (typeof title !== "string") throw badLine(file, line, `expected a string in "title", got ${show(title)}`);
  return { id: idOf(file, line, object), text: title === "" ? text : `${title} ${text}`.trim() };
}

/** BEIR writes `_id`, FlagEmbedding `id`. */
export function idOf(file: string, line: Line, { _id, id = _id }: Record<string, unknown>): string {
  if ((typeof id === "string" && id !== "") || typeof id === "number") return String(id);
  throw badLine(file, line, `expected an id in "_id" or "id", got ${show(id)}`);
}
