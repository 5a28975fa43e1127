import { Random } from "../statistics/random.js";

/** Queries to learn from, and others to see what the lesson is worth. */
export interface Fold {
  train: readonly number[];
  test: readonly number[];
}

/** Splits `count` queries at random into `parts`, each of which is once held out. */
export function folds(count: number, seed: number, parts = 5): Fold[] {
  const order = new Random(seed).order(count);
  return Array.from({ length: Math.min(parts, count) }, (_, fold) => ({
    train: order.filter((_, place) => place % parts !== fold),
    test: order.filter((_, place) => place % parts === fold),
  }));
}
