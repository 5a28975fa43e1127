import { RerankError } from "../errors.js";

/** The float32 bytes of a piece of a tensor; `dtype` is F32, F16 or BF16 as in safetensors. */
export function toFloat32(bytes: Uint8Array, dtype: string): Uint8Array {
  if (dtype === "F32") return bytes;
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
  const bits = new Uint32Array(halves.length);
  (dtype === "BF16" ? widenBF16 : widenF16)(halves, bits);
  return new Uint8Array(bits.buffer);
}

/**
 * Rounds float32 bytes to the nearest float16, ties to even.
 * @param name of the tensor, for the error
 * @throws {RerankError} `MODEL_UNSUPPORTED` for a value beyond float16's range, 65504.
 */
export function toFloat16(bytes: Uint8Array, name: string): Uint8Array {
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const bits = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const halves = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const magnitude = bits[i]! & 0x7fffffff;
    // 65520 and above round to infinity.
    if (magnitude >= 0x477ff000) {
      const hint = "Use dtype fp32.";
      throw new RerankError("MODEL_UNSUPPORTED", `Tensor ${name} holds ${values[i]}, beyond float16's range. ${hint}`);
    }
    if (magnitude >= 0x38800000) {
      halves[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13);
    } else {
      halves[i] = sign | roundToEven(Math.abs(values[i]!) * 2 ** 24);
    }
  }
  return new Uint8Array(halves.buffer);
}

/** Doubles hold whole numbers exactly up to 2^53, so beyond 2^52 the hardware rounds ties to even. */
function roundToEven(value: number): number {
  return value + 2 ** 52 - 2 ** 52;
}

/** bfloat16 is the upper half of a float32. */
function widenBF16(halves: Uint16Array, bits: Uint32Array): void {
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
}

function widenF16(halves: Uint16Array, bits: Uint32Array): void {
  for (let i = 0; i < halves.length; i++) bits[i] = F16_TO_F32[halves[i]!]!;
}

/** float32 bits of every half: 256 KB that replace a branchy conversion. */
const F16_TO_F32 = Uint32Array.from({ length: 65536 }, (_, half) => {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  // Subnormal halves are multiples of 2^-24, which a float32 holds exactly.
  return sign | new Uint32Array(new Float32Array([fraction * 2 ** -24]).buffer)[0]!;
});
