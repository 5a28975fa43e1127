import { dirname, relative, sep } from "node:path";
import type { DataTypeName, Graph } from "./onnx.js";

/** Bytes of an initializer: part of a file, or of memory that was given a name. */
export interface Source {
  file: string;
  /** bytes from the start */
  offset: number;
  length: number;
}

/** Places initializers in files of one folder tree, as ONNX Runtime demands, or in memory. */
export class ExternalWeights {
  /** The folder that locations are relative to. */
  readonly folder: string;
  private readonly added = new Set<string>();

  /**
   * @param files absolute real paths of all files that initializers may lie in
   * @param memory content that has no file, by name
   */
  constructor(
    private readonly graph: Graph,
    files: readonly string[],
    private readonly memory: ReadonlyMap<string, Uint8Array>,
  ) {
    this.folder = commonFolder(files);
  }

  /** Adds an initializer, once, and returns its name. */
  add(name: string, type: DataTypeName, shape: readonly number[], { file, offset, length }: Source): string {
    if (this.added.has(name)) return name;
    this.added.add(name);
    const location = this.memory.has(file) ? file : relative(this.folder, file).split(sep).join("/");
    return this.graph.initializer(name, type, shape, { location, offset, length });
  }
}

/** The deepest folder that holds all files. */
export function commonFolder(files: readonly string[]): string {
  let folder = dirname(files[0] ?? process.cwd());
  const holds = (file: string) => file.startsWith(folder.endsWith(sep) ? folder : folder + sep);
  while (!files.every(holds) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
