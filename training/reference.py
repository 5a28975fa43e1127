"""BERT, RoBERTa and XLM-RoBERTa sequence classifiers in plain PyTorch, float32, from a Hugging Face folder.

Independent of the TypeScript code: test fixtures, training and evaluation use it. It follows
https://github.com/huggingface/transformers/blob/v4.46.3/src/transformers/models/bert/modeling_bert.py and
https://github.com/huggingface/transformers/blob/v4.46.3/src/transformers/models/xlm_roberta/modeling_xlm_roberta.py

    model = load("models/mini")
    logits = model(torch.tensor([[2, 17, 3, 18, 3]]), torch.tensor([[0, 0, 0, 1, 1]]))   # [1, num_labels]
"""
import json
import math
import os

import torch
import torch.nn.functional as F

from safetensors_io import read_folder

PREFIX = {"bert": "bert.", "roberta": "roberta.", "xlm-roberta": "roberta."}


def linear(w, name, x):
    return F.linear(x, w[name + ".weight"], w[name + ".bias"])


def layer_norm(config, w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], config["layer_norm_eps"])


def position_ids(config, ids):
    """BERT counts from 0; RoBERTa from pad_token_id + 1, over the tokens that are no padding (padding keeps pad_token_id)."""
    if config["model_type"] == "bert":
        return torch.arange(ids.shape[1]).expand_as(ids)
    padding = config["pad_token_id"]
    real = (ids != padding).long()
    return real.cumsum(1) * real + padding


def embed(config, w, ids, token_types):
    at = PREFIX[config["model_type"]] + "embeddings."
    types = torch.zeros_like(ids) if token_types is None else token_types
    x = F.embedding(ids, w[at + "word_embeddings.weight"])
    x = x + F.embedding(types, w[at + "token_type_embeddings.weight"])
    x = x + F.embedding(position_ids(config, ids), w[at + "position_embeddings.weight"])
    return layer_norm(config, w, at + "LayerNorm", x)


def layer(config, w, at, x, bias):
    """One post-norm encoder layer; bias [batch, 1, 1, tokens] is added to the attention scores."""
    batch, tokens, hidden = x.shape
    heads = config["num_attention_heads"]
    q, k, v = (
        linear(w, f"{at}attention.self.{n}", x).view(batch, tokens, heads, hidden // heads).transpose(1, 2)
        for n in ("query", "key", "value")
    )
    scores = q @ k.transpose(-1, -2) / math.sqrt(hidden // heads)
    if bias is not None:
        scores = scores + bias
    mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, hidden)
    x = layer_norm(config, w, at + "attention.output.LayerNorm", linear(w, at + "attention.output.dense", mixed) + x)
    inner = F.gelu(linear(w, at + "intermediate.dense", x))  # the exact GELU, by erf
    return layer_norm(config, w, at + "output.LayerNorm", linear(w, at + "output.dense", inner) + x)


def head(config, w, first):
    """Logits from the last hidden state of the first token ([CLS] or <s>)."""
    if config["model_type"] == "bert":
        return linear(w, "classifier", torch.tanh(linear(w, "bert.pooler.dense", first)))
    return linear(w, "classifier.out_proj", torch.tanh(linear(w, "classifier.dense", first)))


def forward(config, w, ids, token_types=None, mask=None):
    """Logits [batch, num_labels]. mask: 1 for real tokens, 0 for padding; None when nothing is padded."""
    bias = None if mask is None else (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
    x = embed(config, w, ids, token_types)
    for i in range(config["num_hidden_layers"]):
        x = layer(config, w, f"{PREFIX[config['model_type']]}encoder.layer.{i}.", x, bias)
    return head(config, w, x[:, 0])


class Reference:
    """A loaded checkpoint; call it with ids [batch, tokens] and, for BERT, token types of the same shape."""

    def __init__(self, config, weights):
        self.config, self.weights = config, weights

    @torch.no_grad()
    def __call__(self, ids, token_types=None, mask=None):
        return forward(self.config, self.weights, ids, token_types, mask)


def load(folder):
    """A Reference from a folder with config.json and model.safetensors (or its shards); F16 and BF16 are read as float32."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    if config["model_type"] not in PREFIX:
        raise ValueError(f"model_type {config['model_type']!r} is not one of {sorted(PREFIX)}")
    if config.get("hidden_act", "gelu") != "gelu":
        raise ValueError(f"hidden_act {config['hidden_act']!r} is not supported")
    config.setdefault("layer_norm_eps", 1e-12 if config["model_type"] == "bert" else 1e-5)
    config.setdefault("pad_token_id", 0 if config["model_type"] == "bert" else 1)
    return Reference(config, read_folder(folder))
