import { compare, type FileIdentity, identify } from "../cache/file-identity.js";
import { RerankError, show } from "../errors.js";
import type { ModelFiles } from "./model-files.js";

/**
 * The files that a model's weights lie in, as they were when this was made. Sessions map them: what is written into one
 * of them changes scores at once, and one that is cut off can end the process.
 */
export class WeightFiles {
  readonly #model: string;
  readonly #identities: FileIdentity[];

  constructor({ model, paths, weights }: ModelFiles) {
    const external = Object.keys(paths).filter((name) => name.startsWith("onnx/"));
    const files = weights.kind === "onnx" ? external.map((name) => paths[name]!) : weights.shards;
    this.#model = model;
    this.#identities = files.map(identify);
  }

  /**
   * Costs one `stat` for each file. One that was replaced or removed is no harm to what has it open.
   * @throws {RerankError} `MODEL_INVALID` when one has been overwritten or cut off
   */
  checkNotOverwritten(): void {
    for (const identity of this.#identities) {
      if (compare(identity) === "overwritten") throw this.#changed("overwritten in place", identity);
    }
  }

  /** @throws {RerankError} `MODEL_INVALID` when one is not the same any more, so that opening it would mix two models */
  checkSame(): void {
    for (const identity of this.#identities) {
      const found = compare(identity);
      if (found !== "same") throw this.#changed(found, identity);
    }
  }

  #changed(what: string, { path }: FileIdentity): RerankError {
    return new RerankError(
      "MODEL_INVALID",
      `${path} of model ${show(this.#model)} was ${what} after it had been opened. Load the model again, and deploy files by renaming them into place.`,
    );
  }
}
