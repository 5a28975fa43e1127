import type { InferenceSession, Tensor } from "onnxruntime-node";
import { show } from "../errors.js";
import type { GraphModel, GraphPart } from "../graph/graph-model.js";
import type { Warn } from "../warn.js";
import type { Batch } from "./batch.js";
import { computeThreads } from "./cpu-threads.js";
import { DEVICES, type DeviceId } from "./devices.js";
import { native } from "./exit-guard.js";
import { type BoundFeed, bindInputs, unsupportedGraph } from "./inputs.js";
import { type Runtime, runtime } from "./onnxruntime.js";
import { cpuKey, openPrepacked } from "./prepacked.js";

/** Runs batches on one device. */
export interface Session {
  /** One logit for each row of the batch. */
  run(batch: Batch): Promise<ArrayLike<number>>;
  release(): Promise<void>;
  /** Whether it runs in another thread, so that a next batch can wait there while one is running. */
  readonly pipelined?: boolean;
}

export interface SessionOptions {
  /** Compute threads on the CPU. Default: one for each core. */
  threads?: number | undefined;
  /**
   * Open soon and run slower: ONNX Runtime packs the weights for the CPU while it opens a session, and hashes what it has
   * packed even when it then takes a packed copy from a file. Without, every run packs what it needs. In float32 that adds
   * up a product's terms in another order, so that logits differ in their last bits.
   */
  draft?: boolean | undefined;
  /** Called with one sentence when packed weights cannot be kept. */
  warn?: Warn | undefined;
}

/** How to open a model on one device, in this thread or in another. */
export type OpenSession = (model: GraphModel, device: DeviceId, options?: SessionOptions) => Promise<Session>;

/** A session in this thread, which gives all that its graph has as outputs besides the logits. */
export interface OwnSession extends Session {
  /** Every output by name. */
  runAll(batch: Batch): Promise<Map<string, ArrayLike<number>>>;
}

/**
 * Opens a model on one device, never on another.
 * @throws what ONNX Runtime throws when the device or the model will not do; `MODEL_UNSUPPORTED` for inputs or outputs
 * that a cross-encoder does not have.
 */
export async function createSession(
  model: GraphModel,
  device: DeviceId,
  options: SessionOptions = {},
): Promise<OwnSession> {
  const ort = await runtime();
  const chain: { session: InferenceSession; feeds: [string, BoundFeed][] }[] = [];
  const release = async () => {
    for (const { session } of chain) await session.release();
  };
  const made = new Set<string>();
  try {
    for (const part of model.parts) {
      const session = await openPart(ort, part, device, options);
      chain.push({ session, feeds: bindInputs(session, made) });
      for (const name of session.outputNames) made.add(name);
    }
  } catch (error) {
    await release();
    throw error;
  }
  const last = chain.at(-1)!.session;
  const output = logitsOutput(last);
  const run = async (batch: Batch, outputs: readonly string[]) => {
    const values: Record<string, Tensor> = {};
    let results: Record<string, Tensor> = {};
    for (const { session, feeds } of chain) {
      for (const [name, feed] of feeds) values[name] ??= feed(ort, batch);
      const inputs = Object.fromEntries(session.inputNames.map((name) => [name, values[name]!]));
      const wanted = session === last ? outputs : session.outputNames;
      results = (await native(() => session.run(inputs, wanted))) as Record<string, Tensor>;
      Object.assign(values, results);
    }
    return results;
  };
  return {
    async run(batch) {
      const logits = (await run(batch, [output]))[output]!;
      if (logits.size !== batch.rows) {
        throw unsupportedGraph(`it gives ${logits.size} outputs for ${batch.rows} pairs; one logit for each is needed`);
      }
      if (logits.type !== "float32") throw unsupportedGraph(`its logits are ${logits.type}; float32 is needed`);
      return logits.data as Float32Array;
    },
    async runAll(batch) {
      const results = await run(batch, last.outputNames);
      return new Map(Object.entries(results).map(([name, tensor]) => [name, tensor.data as Float32Array]));
    },
    release,
  };
}

async function openPart(
  ort: Runtime,
  part: GraphPart,
  device: DeviceId,
  { warn = () => {}, ...wanted }: SessionOptions,
): Promise<InferenceSession> {
  const { graph, folder, memory, prepacked } = part;
  const threads = part.threads ?? wanted.threads;
  const open = (
    source: Uint8Array | string,
    session: Record<string, string>,
    more: InferenceSession.SessionOptions,
  ) => {
    const options = sessionOptions(device, session, { ...(threads && { intraOpNumThreads: threads }), ...more });
    return native(() =>
      typeof source === "string"
        ? ort.InferenceSession.create(source, options)
        : ort.InferenceSession.create(source, options),
    );
  };
  const external: Record<string, string> = folder ? { model_external_initializers_file_folder_path: folder } : {};
  const plain = (session = {}, more: InferenceSession.SessionOptions = {}) =>
    open(graph, { ...external, ...session }, { ...(memory?.length && { externalData: memory }), ...more });
  if (device.name !== "cpu" || !prepacked) return plain();
  if (wanted.draft) return plain({ disable_prepacking: "1" });
  const { key, model } = prepacked;
  return openPrepacked({ key: `${key}.${cpuKey(ort.env.versions.node)}`, model }, plain, open, warn);
}

/** One makes a kernel that is slower than what it replaces; the other would undo what `gemmUnpacked` does. */
export const UNWANTED_FUSIONS: readonly string[] = ["SkipLayerNormFusion", "GemmTransposeFusion"];

function sessionOptions(
  device: DeviceId,
  session: Record<string, string>,
  more: InferenceSession.SessionOptions,
): InferenceSession.SessionOptions {
  const { numbered } = DEVICES[device.name];
  if (!numbered && device.index > 0) {
    throw new Error(`ONNX Runtime offers no choice of ${device.name} devices: use "${device.name}"`);
  }
  const provider = { name: device.name, ...(numbered && { deviceId: device.index }) };
  return {
    executionProviders: [provider as InferenceSession.ExecutionProviderConfig],
    // Every length would leave a memory plan of its own behind.
    enableMemPattern: false,
    intraOpNumThreads: computeThreads(),
    logSeverityLevel: 4,
    ...more,
    extra: {
      session,
      ...(device.name === "cpu" && { optimization: { disable_specified_optimizers: UNWANTED_FUSIONS.join(";") } }),
    },
  };
}

function logitsOutput(session: InferenceSession): string {
  const names = session.outputNames;
  const output = names.includes("logits") ? "logits" : names.length === 1 ? names[0] : undefined;
  if (output === undefined) throw unsupportedGraph(`its outputs are ${names.map(show).join(", ")}; "logits" is needed`);
  return output;
}
