import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { type Derived, derive, findDerived, type Producer, storeDerived } from "../cache/derived.js";
import { sourceKey } from "../cache/file-identity.js";
import { toFloat16, toFloat32 } from "../model/floats.js";
import type { TensorRef } from "../model/safetensors.js";
import { readTensor } from "../model/weights.js";
import type { Warn } from "../warn.js";
import type { Dense, GraphOptions, Network, UseTensor } from "./architectures/architecture.js";
import { type Checkpoint, placeDerived } from "./checkpoint.js";
import { gemm, gemmUnpacked, int8, withCalibration } from "./dense.js";
import { ExternalWeights } from "./external-data.js";
import type { GraphModel, GraphPart } from "./graph-model.js";
import { type Activations, INT8_FORMAT, type Int8Tensor, int8Layout, markSmoothed, writeInt8 } from "./int8.js";
import { DataType, Graph } from "./onnx.js";

/** The checkpoint in float32. @param padded whether one run may hold pairs of different lengths */
export function fp32Graph(checkpoint: Checkpoint, padded: boolean): GraphModel {
  return padded ? whole(checkpoint, { padded, dense: gemm }) : split(checkpoint, [], gemm);
}

/**
 * The checkpoint with half-precision weights, made once into our cache unless the checkpoint has them already. Dense
 * layers and attention products run in float16, everything that could overflow there in float32.
 */
export function fp16Graph(checkpoint: Checkpoint, warn: Warn): GraphModel {
  const { model, original, shards, memory } = checkpoint;
  const halves = new Map([...original].filter(([, tensor]) => tensor.dtype === "F16"));
  const others = [...original].filter(([, tensor]) => tensor.dtype !== "F16");
  const bytesOf = (tensor: TensorRef) => (tensor.length / (tensor.dtype === "F32" ? 4 : 2)) * 2;
  if (others.length > 0) {
    const size = others.reduce((sum, [, tensor]) => sum + bytesOf(tensor), 0);
    const produce: Producer = (write) => {
      for (const [name, tensor] of others) {
        for (const chunk of readTensor(tensor)) write(toFloat16(toFloat32(chunk, tensor.dtype), name));
      }
    };
    const name = `${sourceKey(shards, "float16", 1)}.f16`;
    const file = placeDerived(derive({ name, model }, size, produce, warn), "float16", memory);
    let offset = 0;
    for (const [name, tensor] of others) {
      const length = bytesOf(tensor);
      halves.set(name, { file, dtype: "F16", shape: tensor.shape, offset, length });
      offset += length;
    }
  }
  return whole({ ...checkpoint, weights: halves }, { padded: true, half: true, dense: gemm });
}

/** The float32 graph with an output for each dense layer's largest inputs, see {@link withCalibration}. */
export function calibrationGraph(checkpoint: Checkpoint): GraphModel {
  return whole(checkpoint, { padded: false, dense: (use) => withCalibration(gemm(use)) });
}

/**
 * The checkpoint with int8 weights in its encoder layers, made once into our cache; everything else stays float32.
 * @param observe gives the activations that outlier channels are found by; asked only when the file has to be made
 */
export async function int8Graph(
  checkpoint: Checkpoint,
  observe: () => Promise<Activations>,
  warn: Warn,
): Promise<GraphModel> {
  const { model, network, original, shards, memory } = checkpoint;
  const { layers, size } = int8Layout(network);
  const name = `${sourceKey(shards, "int8", INT8_FORMAT)}.int8`;
  const derived =
    findDerived(name) ?? storeDerived({ name, model }, size, writeInt8(network, original, await observe()), warn);
  const file = placeDerived(derived, "int8", memory);
  markSmoothed(layers, (tensor) => readDerived(derived, tensor));
  const parts = new Map<string, Int8Tensor>([...layers.values()].flatMap((layer) => [...layer.tensors]));
  return split(checkpoint, memory.has(file) ? [] : [file], (use, add) => {
    const useBoth = (part: string) => {
      const tensor = parts.get(part);
      return tensor ? add(part, tensor.type, tensor.shape, { file, ...tensor }) : use(part);
    };
    return int8(layers, useBoth, gemmUnpacked(use));
  });
}

function readDerived(derived: Derived, { offset, length }: Int8Tensor): Float32Array {
  if ("data" in derived) return new Float32Array(derived.data.slice(offset, offset + length).buffer);
  const bytes = new Uint8Array(length);
  const fd = openSync(derived.path, "r");
  try {
    for (let done = 0; done < length; ) done += readSync(fd, bytes, done, length - done, offset + done);
  } finally {
    closeSync(fd);
  }
  return new Float32Array(bytes.buffer);
}

/** A graph that any device can run: it tells whether the device is there. */
export function smallestGraph(): GraphModel {
  const graph = new Graph();
  const ids = graph.input("input_ids", "int32", ["batch", 1]);
  graph.node("Cast", [ids], { to: DataType.float }, "logits");
  graph.output("logits", "float", ["batch", 1]);
  return { parts: [{ graph: graph.finish("smallest") }], padded: true };
}

type MakeDense = (use: UseTensor, add: ExternalWeights["add"]) => Dense;

/** One graph from token ids to logits. */
function whole(
  checkpoint: Checkpoint,
  { padded, half = false, dense }: { padded: boolean; half?: boolean; dense: MakeDense },
): GraphModel {
  return { parts: [assemble(checkpoint, addAll, { padded, half, dense }).part], padded };
}

/**
 * Two graphs for the CPU, without padding: the embedding tables stay mapped from the checkpoint and only the rows in use
 * are read, while the packed matrices of the layers can be kept in a file that processes share.
 * @param moreFiles that `dense` takes tensors from
 */
function split(checkpoint: Checkpoint, moreFiles: string[], dense: MakeDense): GraphModel {
  const options = { padded: false, half: false, dense };
  const embeddings = assemble(checkpoint, addEmbeddings, options).part;
  const { part: layers, bytes } = assemble(checkpoint, addLayers, options);
  const key = sourceKey([...checkpoint.shards, ...moreFiles], createHash("sha256").update(layers.graph).digest("hex"));
  // A pool of threads of its own would go on spinning for a while, on the cores that the layers run on by then.
  const first = { ...embeddings, threads: 1 };
  const keep = checkpoint.cached && layers.memory?.length === 0;
  return {
    parts: [first, { ...layers, ...(keep && { prepacked: { key, model: checkpoint.model, bytes } }) }],
    padded: false,
  };
}

type AddNodes = (graph: Graph, network: Network, options: GraphOptions) => void;

/** What passes from one of two graphs to the other: float [batch, sequence, hidden]. */
const EMBEDDINGS = "embeddings";

const addAll: AddNodes = (graph, network, options) => {
  addLogits(graph, network.score(graph, network.embed(graph, options), options));
};

const addEmbeddings: AddNodes = (graph, network, options) => {
  graph.node("Identity", [network.embed(graph, options)], {}, EMBEDDINGS);
  graph.output(EMBEDDINGS, "float", ["batch", "sequence", network.hidden]);
};

const addLayers: AddNodes = (graph, network, options) => {
  const embeddings = graph.input(EMBEDDINGS, "float", ["batch", "sequence", network.hidden]);
  addLogits(graph, network.score(graph, embeddings, options));
};

function addLogits(graph: Graph, logits: string): void {
  graph.node("Identity", [logits], {}, "logits");
  graph.output("logits", "float", ["batch", 1]);
}

function assemble(
  { network, weights, memory }: Checkpoint,
  addNodes: AddNodes,
  { padded, half, dense }: { padded: boolean; half: boolean; dense: MakeDense },
): { part: GraphPart & { graph: Uint8Array }; bytes: number } {
  const graph = new Graph();
  const external = new ExternalWeights(memory);
  const add: ExternalWeights["add"] = (...tensor) => external.add(...tensor);
  const use = (name: string) => {
    const tensor = weights.get(name)!;
    return add(name, half ? "float16" : "float", tensor.shape, tensor);
  };
  addNodes(graph, network, { padded, half, use, dense: dense(use, add) });
  const placed = external.place(graph);
  return { part: { graph: graph.finish(network.architecture), ...placed }, bytes: external.bytes };
}
