"""The compiled forward and backward passes of kernel.cpp, and the flat array that they work on.

    model = Kernel(config, weights)          # {name: tensor}, as in a checkpoint
    logits = model.score(groups)             # groups: [[(query ids, passage ids), ...], ...]
    loss = model.step(groups, targets, rates, keep)
"""
import openblas  # before NumPy

import ctypes
import hashlib
import os
import subprocess
import tempfile

import numpy as np
import torch

CLS, SEP = 2, 3
HERE = os.path.dirname(os.path.abspath(__file__))
CORES = len(os.sched_getaffinity(0))


def library():
    """kernel.cpp compiled for this machine, once."""
    source = os.path.join(HERE, "kernel.cpp")
    with open(source, "rb") as f:
        key = hashlib.sha256(f.read() + " ".join(openblas.FLAGS).encode()).hexdigest()[:16]
    path = os.path.join(tempfile.gettempdir(), f"bge-reranker-kernel-{os.getuid()}-{key}.so")
    if not os.path.exists(path):
        part = f"{path}.{os.getpid()}"
        subprocess.run(["g++", "-Ofast", "-march=native", "-mprefer-vector-width=512", "-fopenmp-simd", "-std=c++17", "-shared", "-fPIC",
                        "-pthread", source, "-o", part, "-lopenblas"], check=True)
        os.replace(part, path)
    return ctypes.CDLL(path)


def layout(config):
    """[(name, shape)] in the order of kernel.cpp's Weights; query, key and value stand as one `qkv`."""
    h, f = config["hidden_size"], config["intermediate_size"]
    at = "bert.embeddings."
    out = [(at + "word_embeddings.weight", (config["vocab_size"], h)), (at + "position_embeddings.weight", (config["max_position_embeddings"], h)),
           (at + "token_type_embeddings.weight", (2, h)), (at + "LayerNorm.weight", (h,)), (at + "LayerNorm.bias", (h,))]
    for i in range(config["num_hidden_layers"]):
        at = f"bert.encoder.layer.{i}."
        for name, rows, columns in (("attention.self.qkv", 3 * h, h), ("attention.output.dense", h, h), ("attention.output.LayerNorm", h, 0),
                                    ("intermediate.dense", f, h), ("output.dense", h, f), ("output.LayerNorm", h, 0)):
            out += [(f"{at}{name}.weight", (rows, columns) if columns else (rows,)), (f"{at}{name}.bias", (rows,))]
    for name, rows in (("bert.pooler.dense", h), ("classifier", 1)):
        out += [(name + ".weight", (rows, h)), (name + ".bias", (rows,))]
    return out


def parts(name):
    return [name.replace("qkv", part) for part in ("query", "key", "value")] if "self.qkv" in name else [name]


class Kernel:
    def __init__(self, config, weights, threads=CORES):
        self.layout, self.threads, self.library = layout(config), threads, library()
        self.shape = np.array([config[k] for k in ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size",
                                                   "max_position_embeddings")], np.int32)
        self.weights = np.concatenate([weights[p].detach().float().numpy().ravel() for name, _ in self.layout for p in parts(name)])
        self.embeddings = int(np.prod(self.layout[0][1]))
        self.gradients = None
        self.library.update.restype = ctypes.c_float

    def tensors(self, flat=None):
        """{name: tensor} of the weights, or of an array laid out like them."""
        flat, out, at = self.weights if flat is None else flat, {}, 0
        for name, shape in self.layout:
            block = flat[at:at + int(np.prod(shape))].reshape(shape)
            at += block.size
            out.update(zip(parts(name), map(torch.from_numpy, np.split(block, len(parts(name))))))
        return out

    def packed(self, groups):
        """The arrays that kernel.cpp takes: firsts, starts, queries, ids."""
        pairs = [p for g in groups for p in g]
        first = [1 + len(q) + 1 for q, _ in pairs]
        ids = [x for q, p in pairs for x in ((CLS,), q, (SEP,), p, (SEP,))]
        starts = np.cumsum([0] + [f + len(p) + 1 for f, (_, p) in zip(first, pairs)])
        firsts = np.cumsum([0] + [len(g) for g in groups])
        return [np.ascontiguousarray(x, np.int32) for x in (firsts, starts, first, np.concatenate(ids) if ids else [])]

    def score(self, groups):
        """A logit for each pair, in order."""
        arrays = self.packed(groups)
        logits = np.zeros(arrays[0][-1], np.float32)
        self.library.score(at(self.shape), at(self.weights), len(groups), *map(at, arrays), at(logits), self.threads)
        return logits

    def differentiate(self, packed, targets):
        """(losses of the groups, logits); the gradients are left in `self.gradients`, one row a thread."""
        if self.gradients is None:
            self.gradients = np.zeros((self.threads, self.weights.size), np.float32)
        targets = np.ascontiguousarray(targets, np.float32)
        groups = len(packed[0]) - 1
        logits, losses = np.zeros(targets.size, np.float32), np.zeros(groups, np.float32)
        self.library.train(at(self.shape), at(self.weights), at(self.gradients), ctypes.c_long(self.weights.size), groups, *map(at, packed),
                           at(targets), at(logits), at(losses), self.threads)
        return losses, logits

    def step(self, packed, targets, rates, keep):
        """One step of Adam: rates (of the word embeddings, of the rest), keep: the moving average's."""
        if self.gradients is None:
            self.mean, self.square, self.average, self.steps = np.zeros_like(self.weights), np.zeros_like(self.weights), self.weights.copy(), 0
        losses, logits = self.differentiate(packed, targets)
        self.steps += 1
        norm = self.library.update(*(at(x) for x in (self.weights, self.gradients, self.mean, self.square, self.average)),
                                   ctypes.c_long(self.weights.size), ctypes.c_long(self.embeddings), self.steps,
                                   at(np.array(rates, np.float32)), ctypes.c_float(min(keep, self.steps / (self.steps + 10))), self.threads)
        return losses, logits, norm


def at(array):
    return array.ctypes.data_as(ctypes.c_void_p)
