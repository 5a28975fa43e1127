"""Choose OpenBLAS's kernels before NumPy loads it: import this first. It takes its slowest ones for processors newer than itself."""
import os

with open("/proc/cpuinfo", encoding="utf-8") as f:
    FLAGS = next((line.split(":")[1].split() for line in f if line.startswith("flags")), [])
if "avx512bw" in FLAGS:
    os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
elif "avx2" in FLAGS:
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
