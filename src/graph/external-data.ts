import { dirname, relative, sep } from "node:path";
import { readTensor } from "../model/weights.js";
import type { DataTypeName, Graph } from "./onnx.js";

/** Bytes of an initializer: part of a file, or of memory that was given a name. */
export interface Source {
  file: string;
  /** bytes from the start */
  offset: number;
  length: number;
}

/** Where a finished graph's initializers lie, as a session takes it. */
export interface Placed {
  /** The folder that locations are relative to. */
  folder: string;
  memory: { path: string; data: Uint8Array }[];
}

/**
 * Collects a graph's initializers and places them in files of one folder tree. ONNX Runtime takes external data from
 * memory only if all of a graph's lies there; then what is in files is read.
 */
export class ExternalWeights {
  private readonly added = new Map<string, { type: DataTypeName; shape: readonly number[]; source: Source }>();

  /** @param memory content that has no file, by name */
  constructor(private readonly memory: ReadonlyMap<string, Uint8Array>) {}

  /** Adds an initializer, once, and returns its name. */
  add(name: string, type: DataTypeName, shape: readonly number[], { file, offset, length }: Source): string {
    if (!this.added.has(name)) this.added.set(name, { type, shape, source: { file, offset, length } });
    return name;
  }

  /** Length of all initializers. */
  get bytes(): number {
    return [...this.added.values()].reduce((sum, { source }) => sum + source.length, 0);
  }

  /** Writes the initializers into the graph. */
  place(graph: Graph): Placed {
    const used = new Set([...this.added.values()].map(({ source }) => source.file));
    const named = [...used].filter((file) => this.memory.has(file));
    const files = [...used].filter((file) => !this.memory.has(file));
    const folder = commonFolder(files);
    // On Windows two drives have no folder in common.
    const inFiles = named.length === 0 && files.every((file) => holds(folder, file));
    const locations = new Map(files.map((file) => [file, relative(folder, file).split(sep).join("/")]));
    const read = new MemoryFile("read");
    for (const [name, { type, shape, source }] of this.added) {
      let { file: location, offset, length } = source;
      if (inFiles) location = locations.get(location)!;
      else if (!this.memory.has(location)) ({ file: location, offset, length } = read.append(source));
      graph.initializer(name, type, shape, { location, offset, length });
    }
    if (inFiles) return { folder, memory: [] };
    const memory = named.map((path) => ({ path, data: this.memory.get(path)! }));
    return { folder, memory: read.size > 0 ? [...memory, read.finish()] : memory };
  }
}

/** Parts of files, one behind the other in memory. */
class MemoryFile {
  size = 0;
  private readonly pieces: Buffer[] = [];

  constructor(private readonly path: string) {}

  append(source: Source): Source {
    for (const piece of readTensor(source)) this.pieces.push(Buffer.from(piece));
    const offset = this.size;
    this.size += source.length;
    return { file: this.path, offset, length: source.length };
  }

  finish(): { path: string; data: Uint8Array } {
    return { path: this.path, data: Buffer.concat(this.pieces) };
  }
}

/** The deepest folder that holds all files, as far as there is one. */
export function commonFolder(files: readonly string[]): string {
  let folder = dirname(files[0] ?? process.cwd());
  while (!files.every((file) => holds(folder, file)) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

function holds(folder: string, file: string): boolean {
  return file.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
