import { show } from "../../errors.js";
import type { Config } from "../../model/model-files.js";
import { type Architecture, type Network, unsupported } from "./architecture.js";
import { bert } from "./bert.js";
import { roberta } from "./roberta.js";
import { xlmRoberta } from "./xlm-roberta.js";

/** Every architecture that we write the graph of. */
export const architectures: Architecture[] = [xlmRoberta, roberta, bert];

/** The architecture that a config.json names, if it is one of ours. */
export function findArchitecture(config: Config): Architecture | undefined {
  return architectures.find(({ name }) => name === config.model_type);
}

/**
 * Reads a config.json.
 * @throws {RerankError} `MODEL_UNSUPPORTED` for another architecture or a variant that is not computed here,
 *   `MODEL_INVALID` for nonsense
 */
export function readNetwork(config: Config): Network {
  const architecture = findArchitecture(config);
  if (architecture) return architecture.read(config);
  const names = architectures.map(({ name }) => name).join(", ");
  throw unsupported(`model_type ${show(config.model_type)}`, `one of ${names}, or a repository with onnx/model.onnx`);
}
