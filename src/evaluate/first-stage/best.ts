/** The best `limit` of many scored passages, in the memory of a few times as many; ties go to whoever came first. */
export class Best {
  #found: { id: string; score: number; order: number }[] = [];
  #added = 0;
  /** What cannot come in any more. */
  #floor = Number.NEGATIVE_INFINITY;

  constructor(private readonly limit: number) {}

  add(id: string, score: number): void {
    this.#added++;
    if (score <= this.#floor) return;
    this.#found.push({ id, score, order: this.#added });
    if (this.#found.length >= 2 * this.limit + 16) this.#cut();
  }

  /** Whether a passage with this score would be kept. */
  takes(score: number): boolean {
    return score > this.#floor;
  }

  /** Best first. */
  sorted(): { ids: string[]; scores: number[] } {
    this.#cut();
    return { ids: this.#found.map(({ id }) => id), scores: this.#found.map(({ score }) => score) };
  }

  #cut(): void {
    this.#found.sort((a, b) => b.score - a.score || a.order - b.order);
    if (this.#found.length < this.limit) return;
    this.#found.length = this.limit;
    this.#floor = this.#found.at(-1)!.score;
  }
}
