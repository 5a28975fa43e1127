/** In the words of ONNX Runtime, CUDA, cuDNN, Vulkan, Direct3D, C++, V8 and the operating system. */
const OUT_OF_MEMORY =
  /out[ _]?of[ _]?(?:(?:device|host)[ _])?memory|not enough memory|cannot allocate memory|bad_alloc|failed to allocate|alloc(?:ation)?[ _]failed|\bENOMEM\b|\bOOM\b/i;

export function isOutOfMemory(error: unknown): boolean {
  return OUT_OF_MEMORY.test(String(error));
}
