/**
 * A byte trie in one Int32Array (a double array). Cell i is the pair of words [2i, 2i+1]:
 *
 *     children's base (0: none), (value + 1) << 8 | label
 *
 * The child of a node with base b for byte c is cell b ^ c, if that cell's label is c. Bases are unique, so a label that
 * fits belongs to this parent. Cell 0 is the root. Label 255, which UTF-8 never holds, marks the root and free cells.
 * The same idea as https://github.com/s-yata/darts-clone, with values in the node itself.
 */
export type Trie = Int32Array;

const BLOCK = 256;
/** Free cells are looked for in this many last blocks only, which keeps building linear. */
const OPEN_BLOCKS = 16;
const NO_VALUE = 0xff;

/** Builds a trie from keys sorted by any order that keeps common prefixes together, each at least one byte long. */
export function buildTrie(keys: readonly Uint8Array[], values: ArrayLike<number>): Trie {
  return new Builder(keys, values).build();
}

class Builder {
  readonly #keys: readonly Uint8Array[];
  readonly #values: ArrayLike<number>;
  #cells = new Int32Array(0);
  /** Doubly linked list of the free cells of the open blocks. */
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  #usedBase = new Uint8Array(0);
  #head = -1;
  #blocks = 0;

  constructor(keys: readonly Uint8Array[], values: ArrayLike<number>) {
    this.#keys = keys;
    this.#values = values;
  }

  build(): Trie {
    this.#addBlock();
    this.#take(0, NO_VALUE);
    this.#usedBase[0] = 1;
    if (this.#keys.length > 0) this.#place(0, 0, this.#keys.length, 0);
    return this.#cells.slice(0, this.#blocks * BLOCK * 2);
  }

  /** Puts the children of `node`, whose keys are [from, to) and share their first `depth` bytes. */
  #place(node: number, from: number, to: number, depth: number): void {
    const keys = this.#keys;
    const starts: number[] = [];
    const labels: number[] = [];
    for (let i = from; i < to; i++) {
      const label = keys[i]![depth]!;
      if (i > from && label === labels.at(-1)) continue;
      labels.push(label);
      starts.push(i);
    }
    const base = this.#findBase(labels);
    this.#cells[node * 2] = base;
    this.#usedBase[base] = 1;
    for (const label of labels) this.#take(base ^ label, label);
    for (let c = 0; c < labels.length; c++) {
      const cell = base ^ labels[c]!;
      let first = starts[c]!;
      const end = starts[c + 1] ?? to;
      // the key that ends here sorts before the longer ones; of equal keys the last one counts
      for (; first < end && keys[first]!.length === depth + 1; first++) {
        this.#cells[cell * 2 + 1] = ((this.#values[first]! + 1) << 8) | labels[c]!;
      }
      if (first < end) this.#place(cell, first, end, depth + 1);
    }
  }

  #findBase(labels: number[]): number {
    const first = labels[0]!;
    for (let cell = this.#head; cell !== -1; cell = this.#next[cell]!) {
      const base = cell ^ first;
      if (this.#usedBase[base] === 0 && labels.every((label) => this.#isFree(base ^ label))) return base;
    }
    return this.#addBlock() ^ first;
  }

  #isFree(cell: number): boolean {
    return this.#cells[cell * 2 + 1] === -1;
  }

  #take(cell: number, check: number): void {
    this.#cells[cell * 2 + 1] = check;
    this.#unlink(cell);
  }

  #unlink(cell: number): void {
    const [next, previous] = [this.#next[cell]!, this.#previous[cell]!];
    if (previous === -1) this.#head = next;
    else this.#next[previous] = next;
    if (next !== -1) this.#previous[next] = previous;
  }

  /** Opens a block of free cells; returns its first cell. */
  #addBlock(): number {
    const start = this.#blocks * BLOCK;
    this.#blocks++;
    this.#reserve(start + BLOCK);
    for (let cell = start + BLOCK - 1; cell >= start; cell--) {
      this.#cells[cell * 2 + 1] = -1;
      this.#next[cell] = this.#head;
      this.#previous[cell] = -1;
      if (this.#head !== -1) this.#previous[this.#head] = cell;
      this.#head = cell;
    }
    const closed = start - OPEN_BLOCKS * BLOCK;
    for (let cell = closed; closed >= 0 && cell < closed + BLOCK; cell++) if (this.#isFree(cell)) this.#unlink(cell);
    return start;
  }

  #reserve(cells: number): void {
    if (cells <= this.#usedBase.length) return;
    const size = Math.max(cells, this.#usedBase.length * 2);
    const grow = (old: Int32Array<ArrayBuffer>, length: number) => {
      const grown = new Int32Array(length);
      grown.set(old);
      return grown;
    };
    this.#cells = grow(this.#cells, size * 2);
    this.#next = grow(this.#next, size);
    this.#previous = grow(this.#previous, size);
    const used = new Uint8Array(size);
    used.set(this.#usedBase);
    this.#usedBase = used;
  }
}
