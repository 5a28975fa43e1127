#!/usr/bin/env bash
# Measures on this machine's card: run.sh [--tiny] [options of run.mjs]. Needs Python with torch and a Vulkan driver; no
# network, and beside kit.tar.xz (pack.sh) no Node.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export BENCH_WORK="${BENCH_WORK:-${TMPDIR:-/tmp}/bge-reranker-bench}"

# A Python that has torch: on Debian the package is there for /usr/bin/python3 alone.
for python in "${BENCH_PYTHON:-python3}" /usr/bin/python3; do
  "$python" -c 'import torch' 2>/dev/null && break
done
"$python" -c 'import torch' || { echo "run.sh needs a Python with torch: name it in BENCH_PYTHON." >&2; exit 1; }
export BENCH_PYTHON="$python"

root="$here/../.."
if [ -e "$here/kit.tar.xz" ]; then
  root="$BENCH_WORK/kit"
  rm -rf "$root"
  mkdir -p "$root"
  # Where there is no xz, Python has its own.
  tar -xJf "$here/kit.tar.xz" -C "$root" 2>/dev/null || "$python" -m tarfile -e "$here/kit.tar.xz" "$root"
  export PATH="$root/bin:$PATH" LD_LIBRARY_PATH="$root/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi

# The card's own driver alone, lest a software device beside it is taken.
if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]; then
  for folder in /etc /usr/share /usr/local/etc /usr/local/share /usr/local/nvidia/share; do
    for file in "$folder"/vulkan/icd.d/nvidia_icd*.json; do
      [ -e "$file" ] && export VK_ICD_FILENAMES="$file" && break 2
    done
  done
fi
exec node "$root/bench/gpu/run.mjs" "$@"
