import { readFileSync } from "node:fs";
import { RerankError, show } from "../errors.js";
import type { Calibration, RankOptions } from "../types.js";
import { sigmoid } from "./ranking.js";

/** Files that were read, by path: a calibration is the same for every call. */
const read = new Map<string, Calibration>();

/**
 * The calibration of a call, read once where it is a path.
 * @throws RerankError `OPTION_INVALID` when it is none, or raw scores are asked for
 */
export function readCalibration({ calibration: given, normalize }: RankOptions): Calibration | undefined {
  if (given === undefined) return undefined;
  if (normalize === false) {
    throw new RerankError(
      "OPTION_INVALID",
      "calibration makes chances of scores, and normalize: false asks for logits.",
    );
  }
  if (typeof given !== "string") return checked(given, "calibration");
  const known = read.get(given) ?? checked(parse(given), `calibration ${given}`);
  read.set(given, known);
  return known;
}

/** The chance of relevance that a calibration makes of a logit. */
export const calibrated = ({ scale, offset }: Calibration, logit: number): number => sigmoid(scale * logit + offset);

/** @throws RerankError `OPTION_INVALID` when a calibration was made for another model: scores of models are not comparable */
export function checkModel({ model }: Calibration, running: string | undefined): void {
  if (model === undefined || running === undefined || model === running) return;
  throw new RerankError(
    "OPTION_INVALID",
    `The calibration was made for ${show(model)}, and ${show(running)} is running. ` +
      "Make one for this model (bge-reranker eval --calibrate), or take the model's name out of it if they are the same.",
  );
}

function checked(value: unknown, what: string): Calibration {
  const { scale, offset, model } = (value ?? {}) as Partial<Calibration>;
  const named = model === undefined || typeof model === "string";
  if (Number.isFinite(scale) && scale! > 0 && Number.isFinite(offset) && named) return value as Calibration;
  throw new RerankError(
    "OPTION_INVALID",
    `${what} must be what bge-reranker eval --calibrate writes, a positive scale and an offset, got ${show(value)}.`,
  );
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new RerankError("OPTION_INVALID", `Cannot read the calibration ${path}: ${(cause as Error).message}.`, {
      cause,
    });
  }
}
