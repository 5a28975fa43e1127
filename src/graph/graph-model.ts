/** A model that ONNX Runtime can open. */
export interface GraphModel {
  /** Graphs that run one after the other; an output is the input of that name of a later one. */
  parts: readonly GraphPart[];
  /** Whether one run may hold pairs of different lengths, padded to the longest. */
  padded: boolean;
}

/** A graph, and where its weights lie. */
export interface GraphPart {
  /** The ModelProto, or the path of a file that holds it. */
  graph: Uint8Array | string;
  /** Folder to which the graph's external data locations are relative; only for a graph given as bytes. */
  folder?: string;
  /** External data that is held in memory instead of a file. */
  memory?: readonly { path: string; data: Uint8Array }[];
  /** Compute threads, where it wants other than the machine's own number. */
  threads?: number;
  /**
   * For graphs that are worth it: the key under which the CPU's packed weights are kept, the model that they are made
   * for, and how many bytes there are.
   */
  prepacked?: { key: string; model: string; bytes: number };
}
