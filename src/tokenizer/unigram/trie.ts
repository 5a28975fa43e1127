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

/** Keys laid end to end: key i is `bytes[starts[i], starts[i + 1])`, at least one byte long. */
export interface Keys {
  bytes: Uint8Array;
  starts: Int32Array;
  /** Value of each key, 0 or more. Of equal keys the one with the largest value counts. */
  values: Int32Array;
}

const BLOCK = 256;
/** Free cells are looked for in this many last blocks only, which keeps building linear. */
const OPEN_BLOCKS = 16;
const NO_VALUE = 0xff;

export function buildTrie(keys: Keys): Trie {
  return new Builder(keys).build();
}

class Builder {
  readonly #bytes: Uint8Array;
  readonly #starts: Int32Array;
  readonly #values: Int32Array;
  /** The keys, sorted as far as `#place` has come. */
  readonly #order: Int32Array;
  readonly #spare: Int32Array;
  readonly #counts = new Int32Array(BLOCK + 1);
  readonly #cells = new Cells();

  constructor({ bytes, starts, values }: Keys) {
    this.#bytes = bytes;
    this.#starts = starts;
    this.#values = values;
    this.#order = Int32Array.from(values.keys());
    this.#spare = new Int32Array(values.length);
  }

  build(): Trie {
    if (this.#order.length > 0) this.#place(0, 0, this.#order.length, 0);
    return this.#cells.finish();
  }

  /** Puts the children of `node`, whose keys are order[from, to) and share their first `depth` bytes, all longer than that. */
  #place(node: number, from: number, to: number, depth: number): void {
    if (to - from === 1) {
      this.#placeTail(node, this.#order[from]!, depth);
      return;
    }
    this.#sort(from, to, depth);
    const labels: number[] = [];
    const groups: number[] = [];
    for (let i = from; i < to; i++) {
      const label = this.#byte(i, depth);
      if (i > from && label === labels[labels.length - 1]) continue;
      labels.push(label);
      groups.push(i);
    }
    groups.push(to);
    const base = this.#cells.addChildren(node, labels);
    for (let c = 0; c < labels.length; c++) {
      const cell = base ^ labels[c]!;
      const first = this.#takeEnding(cell, groups[c]!, groups[c + 1]!, depth + 1);
      if (first < groups[c + 1]!) this.#place(cell, first, groups[c + 1]!, depth + 1);
    }
  }

  /** The rest of a key that shares it with no other. */
  #placeTail(node: number, key: number, depth: number): void {
    const end = this.#starts[key + 1]!;
    const label = [0];
    for (let at = this.#starts[key]! + depth; at < end; at++) {
      label[0] = this.#bytes[at]!;
      node = this.#cells.addChildren(node, label) ^ label[0];
    }
    this.#cells.setValue(node, this.#values[key]!);
  }

  /** Gives `cell` the value of the key among order[from, to) that ends at `depth`; returns where the longer keys start. */
  #takeEnding(cell: number, from: number, to: number, depth: number): number {
    const order = this.#order;
    let first = from;
    for (let i = from; i < to; i++) {
      const key = order[i]!;
      if (this.#starts[key + 1]! - this.#starts[key]! !== depth) continue;
      this.#cells.setValue(cell, this.#values[key]!);
      order[i] = order[first]!;
      order[first++] = key;
    }
    return first;
  }

  #byte(i: number, depth: number): number {
    return this.#bytes[this.#starts[this.#order[i]!]! + depth]!;
  }

  /** Sorts order[from, to) by the byte at `depth`. */
  #sort(from: number, to: number, depth: number): void {
    if (to - from < 24) this.#sortFew(from, to, depth);
    else this.#sortMany(from, to, depth);
  }

  #sortFew(from: number, to: number, depth: number): void {
    const order = this.#order;
    for (let i = from + 1; i < to; i++) {
      const key = order[i]!;
      const byte = this.#byte(i, depth);
      let j = i - 1;
      for (; j >= from && this.#byte(j, depth) > byte; j--) order[j + 1] = order[j]!;
      order[j + 1] = key;
    }
  }

  #sortMany(from: number, to: number, depth: number): void {
    const counts = this.#counts.fill(0);
    for (let i = from; i < to; i++) counts[this.#byte(i, depth) + 1]!++;
    for (let b = 1; b < BLOCK; b++) counts[b]! += counts[b - 1]!;
    for (let i = from; i < to; i++) this.#spare[counts[this.#byte(i, depth)]!++] = this.#order[i]!;
    this.#order.set(this.#spare.subarray(0, to - from), from);
  }
}

/** The cells under construction, with a doubly linked list of the free ones in the open blocks. */
class Cells {
  #cells = new Int32Array(0);
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  #usedBase = new Uint8Array(0);
  #head = -1;
  #length = 0;

  constructor() {
    this.#addBlock();
    this.#take(0, NO_VALUE);
    this.#usedBase[0] = 1; // a base of 0 means no children
  }

  finish(): Trie {
    return this.#cells.slice(0, this.#length * 2);
  }

  setValue(cell: number, value: number): void {
    const label = this.#cells[cell * 2 + 1]! & 0xff;
    this.#cells[cell * 2 + 1] = Math.max(this.#cells[cell * 2 + 1]!, ((value + 1) << 8) | label);
  }

  /** Makes a child of `node` for each label; returns the base they got. */
  addChildren(node: number, labels: readonly number[]): number {
    const base = this.#findBase(labels);
    this.#cells[node * 2] = base;
    this.#usedBase[base] = 1;
    for (const label of labels) this.#take(base ^ label, label);
    return base;
  }

  #findBase(labels: readonly number[]): number {
    const [cells, next, usedBase] = [this.#cells, this.#next, this.#usedBase];
    for (let cell = this.#head; cell !== -1; cell = next[cell]!) {
      const base = cell ^ labels[0]!;
      if (usedBase[base] === 1) continue;
      let fits = 1;
      while (fits < labels.length && cells[(base ^ labels[fits]!) * 2 + 1] === -1) fits++;
      if (fits === labels.length) return base;
    }
    return this.#addBlock() ^ labels[0]!;
  }

  #take(cell: number, check: number): void {
    this.#cells[cell * 2 + 1] = check;
    this.#unlink(cell);
  }

  #unlink(cell: number): void {
    const next = this.#next[cell]!;
    const previous = this.#previous[cell]!;
    if (previous === -1) this.#head = next;
    else this.#next[previous] = next;
    if (next !== -1) this.#previous[next] = previous;
  }

  /** Opens a block of free cells and closes an old one; returns the new one's first cell. */
  #addBlock(): number {
    const start = this.#length;
    this.#length += BLOCK;
    this.#reserve(this.#length);
    for (let cell = start + BLOCK - 1; cell >= start; cell--) {
      this.#cells[cell * 2 + 1] = -1;
      this.#next[cell] = this.#head;
      this.#previous[cell] = -1;
      if (this.#head !== -1) this.#previous[this.#head] = cell;
      this.#head = cell;
    }
    const closed = start - OPEN_BLOCKS * BLOCK;
    for (let cell = closed; closed >= 0 && cell < closed + BLOCK; cell++) {
      if (this.#cells[cell * 2 + 1] === -1) this.#unlink(cell);
    }
    return start;
  }

  #reserve(cells: number): void {
    if (cells <= this.#usedBase.length) return;
    const size = cells * 2;
    this.#cells = grown(this.#cells, new Int32Array(size * 2));
    this.#next = grown(this.#next, new Int32Array(size));
    this.#previous = grown(this.#previous, new Int32Array(size));
    this.#usedBase = grown(this.#usedBase, new Uint8Array(size));
  }
}

function grown<T extends Int32Array | Uint8Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
