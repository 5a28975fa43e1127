"""calibrate.py MODEL FOLDER...: scale and shift the classifier so that sigmoid(logit) is about the probability of being relevant
among BM25's 20 (Platt scaling, by Newton's method, on the questions of development sets; every set counts the same). No order changes."""
import openblas  # before NumPy

import json
import sys

import numpy as np
import torch

import reference
from bm25 import BM25
from evaluate import DEPTH, Scorer, read
from export import export


def judged(scorer, folder, limit=400):
    """(logits, labels) of BM25's candidates."""
    corpus, queries, relevant = read(folder)
    names, texts = list(corpus), list(corpus.values())
    search = BM25(texts)
    asked = sorted(queries)[:limit]
    found = [search.top(queries[q], DEPTH)[0] for q in asked]
    logits = scorer.score([(queries[q], [texts[i] for i in f]) for q, f in zip(asked, found)])
    labels = [names[i] in relevant[q] for q, f in zip(asked, found) for i in f]
    return np.concatenate(logits).astype(float), np.array(labels, float)


def platt(logits, labels, weights, rounds=50):
    """(scale, shift) that minimise the weighted log loss of sigmoid(scale * logit + shift)."""
    x, at = np.stack([logits, np.ones_like(logits)], 1), np.zeros(2)
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-x @ at))
        gradient = x.T @ (weights * (p - labels))
        hessian = x.T @ (x * (weights * p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        at -= np.linalg.solve(hessian, gradient)
    return at


def error(logits, labels, bins=10):
    """Expected calibration error over equal bins of probability."""
    p = 1 / (1 + np.exp(-logits))
    which = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs((labels - p)[which == b].sum()) for b in range(bins)) / len(p)


def main(folder, sets):
    scorer = Scorer(folder)
    parts = [judged(scorer, s) for s in sets]
    logits, labels = (np.concatenate(x) for x in zip(*parts))
    weights = np.concatenate([np.full(len(x), 1 / len(x)) for x, _ in parts])
    scale, shift = platt(logits, labels, weights)
    print(f"scale {scale:.3f} shift {shift:.3f}; calibration error {error(logits, labels):.3f} -> {error(scale * logits + shift, labels):.3f}")
    model = reference.load(folder)
    model.weights["classifier.weight"] *= scale
    model.weights["classifier.bias"] = model.weights["classifier.bias"] * scale + torch.tensor([shift], dtype=torch.float32)
    with open(f"{folder}/config.json", encoding="utf-8") as f:
        config = json.load(f)
    export(model.weights, config, folder)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
