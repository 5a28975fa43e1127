#!/usr/bin/python3
"""Gives a checkpoint outlier channels, and hardly changes what it computes: outliers.py MODEL OUT

Trained XLM-R has a few channels that are tens of times larger than the rest, in every layer and for every token
(https://arxiv.org/abs/2105.06990), which is what makes activations hard to quantize. Here four channels become constants
of that size; biases take back what the constants would add, and LayerNorm weights what the constants take from the rest.
Exact it is not: a LayerNorm's divisor now hardly varies from token to token.
"""
import json
import os
import shutil
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "training"))
import reference  # noqa: E402
from safetensors_io import write_file  # noqa: E402

# In units of a typical channel; the sum is zero, so that no mean moves.
SIZES = torch.tensor([40.0, -40.0, 20.0, -20.0])
READERS = ("attention.self.query", "attention.self.key", "attention.self.value", "intermediate.dense", "pooler.dense", "classifier.dense")
WRITERS = ("attention.output.dense", "output.dense")


def add_outliers(config, weights):
    """Changes the weights in place. Tokens to measure on are drawn at random."""
    norms = [name[: -len(".weight")] for name in weights if name.endswith("LayerNorm.weight")]
    channels = torch.stack([weights[f"{name}.weight"].abs() for name in norms]).mean(0).argsort()[: len(SIZES)]
    variances, size = measure(config, weights)
    sizes = SIZES * size
    added = sizes.square().sum() / config["hidden_size"]
    for name in norms:
        if "embeddings" not in name:
            weights[f"{name}.weight"] *= (1 + added / variances[name]).sqrt()
        weights[f"{name}.weight"][channels] = 0
        weights[f"{name}.bias"][channels] = sizes
    for name in [name[: -len(".weight")] for name in weights if name.endswith(".weight")]:
        if name.endswith(READERS):
            weights[f"{name}.bias"] -= weights[f"{name}.weight"][:, channels] @ sizes
        elif name.endswith(WRITERS):
            weights[f"{name}.weight"][channels] = 0
            weights[f"{name}.bias"][channels] = 0


def measure(config, weights):
    """Each LayerNorm's median input variance, and the size of a typical channel behind it."""
    inputs, outputs, original = {}, [], reference.layer_norm

    def recording(config, w, name, x):
        y = original(config, w, name, x)
        inputs[name] = x.var(-1, unbiased=False).median()
        outputs.append(y.square().mean().sqrt())
        return y

    reference.layer_norm = recording
    ids = torch.randint(5, config["vocab_size"] - 1, (4, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        reference.forward(config, weights, ids)
    reference.layer_norm = original
    return inputs, torch.stack(outputs).median()


def main():
    source, out = sys.argv[1:]
    model = reference.load(source)
    add_outliers(model.config, model.weights)
    os.makedirs(out, exist_ok=True)
    for name in os.listdir(source):
        if name.endswith(".json"):
            shutil.copy(os.path.join(source, name), out)
    write_file(os.path.join(out, "model.safetensors"), model.weights, dtype="F32")
    with open(os.path.join(out, "config.json"), "w", encoding="utf-8") as file:
        json.dump({**model.config, "torch_dtype": "float32"}, file, indent=1)


if __name__ == "__main__":
    main()
