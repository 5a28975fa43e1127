#!/usr/bin/env bash
# Packs the kit and runs it as on a bare machine, but on a software Vulkan device and with a tiny model: check.sh [NODE]
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
node="${1:-$(command -v node)}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Fast and larger; with pack.sh's own options it is smaller still.
XZ_OPT="-1 -T0" "$here/pack.sh" "$work/kit" "$node"
size="$(stat -c %s "$work/kit/kit.tar.xz")"
[ "$size" -lt 60000000 ] || { echo "kit.tar.xz has $size bytes, more than 60 MB." >&2; exit 1; }

driver="${BGE_TEST_VULKAN_DRIVER:-/usr/lib/chromium/vk_swiftshader_icd.json}"
env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME="$work" TMPDIR="$work" VK_ICD_FILENAMES="$driver" \
  "$work/kit/run.sh" --tiny --json "$work/results.json"
"$node" -e '
  const { spread, rows } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")).shapes.tiny;
  const { difference, speed } = rows.find(({ title }) => title === "webgpu fp32");
  const right = difference.fp32 < spread / 1000 && Object.values(speed).every(({ ratio }) => ratio > 0);
  if (!right) throw new Error(`webgpu is ${difference.fp32} off PyTorch, of logits that spread by ${spread}`);
' "$work/results.json"
