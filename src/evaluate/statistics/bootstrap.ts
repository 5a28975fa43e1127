import { Random } from "./random.js";

/** A mean, and where it would probably lie for other queries of the same kind. */
export interface Interval {
  mean: number;
  low: number;
  high: number;
}

/** Drawings of queries with replacement, the same for all settings: what differs between them is not who was drawn. */
export class Resamples {
  readonly drawn: readonly ArrayLike<number>[];

  /** @param drawn Indexes of queries, a list a resample. */
  constructor(drawn: readonly ArrayLike<number>[]) {
    this.drawn = drawn;
  }

  /** @param count How many resamples. */
  static random(queries: number, seed: number, count: number): Resamples {
    const random = new Random(seed);
    const resample = () => Uint32Array.from({ length: queries }, () => random.below(queries));
    return new Resamples(Array.from({ length: count }, resample));
  }

  /** Percentile interval of the mean, as scipy.stats.bootstrap's method "percentile". */
  interval(values: ArrayLike<number>, confidence = 0.95): Interval {
    const mean = meanOf(values);
    if (values.length < 2) return { mean, low: mean, high: mean };
    const means = Float64Array.from(this.drawn, (indexes) => {
      let sum = 0;
      for (let i = 0; i < indexes.length; i++) sum += values[indexes[i]!]!;
      return sum / indexes.length;
    }).sort();
    const tail = (1 - confidence) / 2;
    return { mean, low: quantile(means, tail), high: quantile(means, 1 - tail) };
  }
}

export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length === 0 ? 0 : sum / values.length;
}

/** NumPy's default: linear between the two nearest. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  return low + (high - low) * (place - below);
}
