import { createHash } from "node:crypto";
import { appendFileSync, existsSync, truncateSync, writeFileSync } from "node:fs";
import { RerankError } from "../../errors.js";
import type { RerankerInfo } from "../../types.js";
import type { EvaluationData } from "../data/data.js";
import { readLines } from "../data/lines.js";
import type { QueryScores, Setting } from "./setting.js";

const FORMAT = "bge-reranker evaluation checkpoint 1";

/**
 * Scores on disk, a line for each query of each setting, written as they come: an evaluation that was ended in any way goes
 * on where it stopped. A line that was being written at that moment is dropped.
 */
export class Checkpoint {
  readonly #scores = new Map<string, QueryScores>();
  readonly #infos = new Map<string, RerankerInfo>();

  private constructor(private readonly file: string | undefined) {}

  /** Keeps nothing. */
  static none(): Checkpoint {
    return new Checkpoint(undefined);
  }

  /**
   * @param file is made when it is not there
   * @throws RerankError `INPUT_INVALID` when it belongs to other queries or candidates, or is something else
   */
  static async open(file: string, data: EvaluationData): Promise<Checkpoint> {
    const checkpoint = new Checkpoint(file);
    const header = `${JSON.stringify({ format: FORMAT, data: fingerprint(data) })}\n`;
    if (existsSync(file)) await checkpoint.#read(header);
    else writeFileSync(file, header);
    return checkpoint;
  }

  get(setting: Setting, query: string): QueryScores | undefined {
    return this.#scores.get(keyOf(setting, query));
  }

  info(setting: Setting): RerankerInfo | undefined {
    return this.#infos.get(keyOf(setting));
  }

  add(setting: Setting, query: string, scores: QueryScores): void {
    this.#append({ key: keyOf(setting, query), ...scores });
  }

  addInfo(setting: Setting, info: RerankerInfo): void {
    this.#append({ key: keyOf(setting), info });
  }

  #append(line: object): void {
    if (this.file !== undefined) appendFileSync(this.file, `${JSON.stringify(line)}\n`);
  }

  async #read(header: string): Promise<void> {
    const file = this.file!;
    let good = 0;
    for await (const { text, number, place } of readLines(file)) {
      if (number === 1 && text !== header.trimEnd()) throw foreign(file);
      const line = number === 1 ? {} : parse(text);
      if (line === undefined) break;
      if (line.info) this.#infos.set(line.key!, line.info);
      else if (line.key !== undefined) this.#scores.set(line.key, line as QueryScores & { key: string });
      good = place.offset + place.length;
    }
    if (good === 0) throw foreign(file);
    // Ends with a newline whatever was torn: the next line begins afresh.
    truncateSync(file, good);
    appendFileSync(file, "\n");
  }
}

function parse(text: string): (Partial<QueryScores> & { key?: string; info?: RerankerInfo }) | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const keyOf = ({ name, key = "" }: Setting, query?: string) =>
  JSON.stringify(query === undefined ? [name, key] : [name, key, query]);

/** Of all that decides which pairs are scored. */
function fingerprint({ queries }: EvaluationData): string {
  const hash = createHash("sha256");
  for (const { id, text, candidates } of queries) hash.update(JSON.stringify([id, text, candidates.ids]));
  return hash.digest("hex");
}

const foreign = (file: string) =>
  new RerankError(
    "INPUT_INVALID",
    `${file} is no checkpoint of this evaluation: its queries or candidates differ. Remove it, or name another file.`,
  );
