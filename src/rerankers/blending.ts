/**
 * Blends the model's logits with the first stage's scores: what to order documents by when both have a say.
 *
 * Both are standardized over these documents (mean 0, deviation 1), so that neither's scale decides:
 * `(1 - weight) * z(logit) + weight * z(retrieval score)`. Where all values of one kind are equal, it says nothing: 0.
 *
 * @param logits One for each document.
 * @param retrievalScores The same, on any scale, finite.
 * @param weight Of the retrieval scores, from 0 to 1.
 */
export function blend(logits: ArrayLike<number>, retrievalScores: ArrayLike<number>, weight: number): number[] {
  const model = standardize(Array.from(logits));
  const retrieval = standardize(Array.from(retrievalScores));
  return model.map((z, index) => (1 - weight) * z + weight * retrieval[index]!);
}

function standardize(values: readonly number[]): number[] {
  // Of scaled values neither the sum nor the squares overflow or vanish.
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0 || values.every((value) => value === values[0])) return values.map(() => 0);
  const scaled = values.map((value) => value / largest);
  const mean = scaled.reduce((sum, value) => sum + value, 0) / scaled.length;
  const deviation = Math.sqrt(scaled.reduce((sum, value) => sum + (value - mean) ** 2, 0) / scaled.length);
  return scaled.map((value) => (deviation === 0 ? 0 : (value - mean) / deviation));
}
