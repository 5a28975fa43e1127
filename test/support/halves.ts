/** Rounding to narrow floats by arithmetic on the values, for comparison with code that works on their bits. */

export type Narrow = "F16" | "BF16";

/** Bits of the fraction, and exponent of the smallest normal number: IEEE 754 binary16, and bfloat16. */
const FORMAT = { F16: { fraction: 10, least: -14, bias: 15 }, BF16: { fraction: 7, least: -126, bias: 127 } } as const;

/** The nearest number that the format has, ties to even. */
export function round(value: number, type: Narrow): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const { fraction, least } = FORMAT[type];
  const step = 2 ** (Math.max(exponentOf(value), least) - fraction);
  const steps = Math.abs(value) / step;
  const below = Math.floor(steps);
  const up = steps - below > 0.5 || (steps - below === 0.5 && below % 2 === 1);
  return Math.sign(value) * (below + (up ? 1 : 0)) * step;
}

/** The bits of a number that the format has. */
export function encode(value: number, type: Narrow): number {
  const { fraction, least, bias } = FORMAT[type];
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === 0) return sign;
  const exponent = exponentOf(value);
  if (exponent < least) return sign | (size / 2 ** (least - fraction));
  return sign | ((exponent + bias) << fraction) | ((size / 2 ** exponent - 1) * 2 ** fraction);
}

/** The number that some bits stand for. */
export function decode(bits: number, type: Narrow): number {
  const { fraction, least, bias } = FORMAT[type];
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits & 0x7fff) >> fraction;
  const part = (bits & (2 ** fraction - 1)) / 2 ** fraction;
  if (exponent === 2 * bias + 1) return part === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? part * 2 ** least : (1 + part) * 2 ** (exponent - bias));
}

/** Math.log2 may be off by one next to a power of two. */
function exponentOf(value: number): number {
  const guess = Math.floor(Math.log2(Math.abs(value)));
  if (2 ** guess > Math.abs(value)) return guess - 1;
  return 2 ** (guess + 1) <= Math.abs(value) ? guess + 1 : guess;
}
