import type { Checkpoint } from "../graph/checkpoint.js";
import type { GraphModel } from "../graph/graph-model.js";
import { calibrationGraph, fp32Graph, int8Graph } from "../graph/model.js";
import { roundingErrorOf } from "../graph/rounding-error.js";
import { createSession, type OwnSession } from "../runtime/session.js";
import type { PairTokenizer } from "../tokenizer/tokenizer.js";
import type { Warn } from "../warn.js";
import { mixedBatches, observeActivations, roundingError, sampleBatches } from "./calibration.js";
import { DEFAULT_MAX_LENGTH } from "./loaded-model.js";

/**
 * In standard deviations of the logits. A twentieth is usual; what comes to more than this has outlier channels that
 * neither activations nor weights can take up, and rankings change.
 */
const TOLERABLE = 0.15;

/** The graph in int8, and a warning where that is too coarse for the model. */
export async function quantizedGraph(
  checkpoint: Checkpoint,
  tokenizer: PairTokenizer,
  warn: Warn,
): Promise<GraphModel> {
  const maxLength = Math.min(checkpoint.network.maxLength, DEFAULT_MAX_LENGTH);
  const observe = () => {
    const batches = sampleBatches(tokenizer, maxLength);
    return inSession(calibrationGraph(checkpoint), (session) => observeActivations(session, batches));
  };
  const graph = await int8Graph(checkpoint, observe, warn);
  const logits = (graph: GraphModel) =>
    inSession(graph, async (session) => {
      const found: number[] = [];
      for (const batch of mixedBatches(tokenizer, maxLength)) found.push((await session.run(batch))[0]!);
      return found;
    });
  const measure = async () => roundingError(await logits(fp32Graph(checkpoint, false)), await logits(graph));
  const error = await roundingErrorOf(checkpoint, measure, warn);
  if (error > TOLERABLE) {
    warn(
      `int8 is coarse for this model: it moves logits by ${error.toFixed(2)} of their standard deviation, where ${TOLERABLE} would be tolerable. Its rankings differ: use dtype fp32.`,
    );
  }
  return graph;
}

async function inSession<T>(graph: GraphModel, work: (session: OwnSession) => Promise<T>): Promise<T> {
  // As a draft: what it would pack is not needed a second time.
  const session = await createSession(graph, { name: "cpu", index: 0 }, { draft: true });
  try {
    return await work(session);
  } finally {
    await session.release();
  }
}
