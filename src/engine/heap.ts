/** A binary heap whose members may change their rank: the first is the one that comes before all others. */
export class Heap<T> {
  private readonly members: T[] = [];
  private readonly places = new Map<T, number>();

  /** @param before a total order */
  constructor(private readonly before: (a: T, b: T) => boolean) {}

  get first(): T | undefined {
    return this.members[0];
  }

  add(member: T): void {
    this.put(member, this.members.length);
    this.rise(member);
  }

  /** To be called when a member's rank has changed. */
  update(member: T): void {
    this.sink(member);
    this.rise(member);
  }

  remove(member: T): void {
    const place = this.places.get(member);
    if (place === undefined) return;
    this.places.delete(member);
    const last = this.members.pop()!;
    if (last === member) return;
    this.put(last, place);
    this.update(last);
  }

  private rise(member: T): void {
    for (let place = this.places.get(member)!; place > 0; ) {
      const above = (place - 1) >> 1;
      if (!this.before(member, this.members[above]!)) return;
      this.put(this.members[above]!, place);
      this.put(member, above);
      place = above;
    }
  }

  private sink(member: T): void {
    for (let place = this.places.get(member)!; ; ) {
      let below = 2 * place + 1;
      if (below >= this.members.length) return;
      const right = this.members[below + 1];
      if (right !== undefined && this.before(right, this.members[below]!)) below++;
      if (!this.before(this.members[below]!, member)) return;
      this.put(this.members[below]!, place);
      this.put(member, below);
      place = below;
    }
  }

  private put(member: T, place: number): void {
    this.members[place] = member;
    this.places.set(member, place);
  }
}
