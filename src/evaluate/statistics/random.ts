/** Pseudo-random numbers that are the same on every machine: Mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from 0 to below `n`. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  /** 0 to `n` - 1 in random order. */
  order(n: number): number[] {
    const items = Array.from({ length: n }, (_, index) => index);
    for (let left = n - 1; left > 0; left--) {
      const other = this.below(left + 1);
      [items[left], items[other]] = [items[other]!, items[left]!];
    }
    return items;
  }
}
