#!/bin/sh
# run.sh WORKDIR [MINUTES1 MINUTES2]: make models/mini anew, from the packages to the measured model.
set -eu
work=$1 short=${2:-16} long=${3:-20}
cd "$(dirname "$0")"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
python=/usr/bin/python3

./fetch.sh "$work"                        # download and unpack: 2 GB on disk
$python extract.py "$work"                # packages -> text
$python tokenizer.py "$work"              # text -> vocabulary, models/mini/tokenizer.json
rm -f "$work/meaning.npz"                 # kept between runs of train.py, but belongs to one vocabulary
$python make_data.py "$work"              # text -> training groups, held-out sets
$python train.py "$work" "$short" "$long" # wiring, two stages, models/mini/model.safetensors
set -- "$work"/held-out/headings-* "$work"/held-out/sentences-* "$work"/held-out/packages-*
$python evaluate.py "$@"
$python evaluate.py --random "$work"/held-out/en-to-zh "$work"/held-out/zh-to-en
