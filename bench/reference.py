#!/usr/bin/python3
"""reference.py MODEL IDS.json OUT.json: logits of token id lists by the PyTorch reference, one pair at a time."""
import json
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "training"))
import reference  # noqa: E402

model, ids, out = sys.argv[1:]
score = reference.load(model)
with open(ids, encoding="utf-8") as file:
    logits = [score(torch.tensor([pair])).item() for pair in json.load(file)]
with open(out, "w", encoding="utf-8") as file:
    json.dump(logits, file)
