import type { TensorRef } from "../model/safetensors.js";
import { readTensor } from "../model/weights.js";

/** Writes an F16 or BF16 tensor as float32. */
export function toFloat32(tensor: TensorRef, write: (bytes: Uint8Array) => void): void {
  const widen = tensor.dtype === "BF16" ? widenBF16 : widenF16;
  for (const chunk of readTensor(tensor)) {
    const halves = new Uint16Array(chunk.buffer, chunk.byteOffset, chunk.length >> 1);
    const bits = new Uint32Array(halves.length);
    widen(halves, bits);
    write(new Uint8Array(bits.buffer));
  }
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
