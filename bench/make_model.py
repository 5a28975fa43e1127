#!/usr/bin/python3
"""Random checkpoints of the exact shape of BAAI's rerankers, in every format that a contender of this benchmark reads.

    make_model.py OUT [--shape base|large|v2-m3|tiny] [--outliers] [--lively] [--seed 0] [--checkpoint-only]

Speed, loading and memory do not depend on the weights' values, so they are as large as the real ones and mean nothing:
nothing here says anything about the quality of a ranking. The vocabulary is that of models/mini, made up to 250,002
pieces that never win (each is two pieces glued together, and less likely than these); shape tiny, which only shows that a
benchmark runs, goes without these.

OUT/config.json tokenizer.json tokenizer_config.json model.safetensors     Hugging Face's layout
    onnx/model.onnx onnx/model_quantized.onnx                              as transformers.js reads them
    products/{linear-fp32,linear-int8,attention}.onnx                      the matrix products alone
    model-{f16,q8_0}.gguf                                                  as node-llama-cpp reads them

The last three lines are for shape base only. Needs Debian's python3-torch and python3-onnx.
"""
import argparse
import json
import os
import random
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "training"))
from outliers import add_outliers  # noqa: E402
from safetensors_io import write_file  # noqa: E402

VOCABULARY = 250_002
# https://huggingface.co/BAAI/bge-reranker-base, -large, -v2-m3: config.json
SHAPES = {
    "base": {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 514},
    "large": {"num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096, "max_position_embeddings": 514},
    "v2-m3": {"num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096, "max_position_embeddings": 8194},
    "tiny": {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 128, "max_position_embeddings": 514},
}


def make_config(shape, vocab_size):
    return {
        "architectures": ["XLMRobertaForSequenceClassification"], "model_type": "xlm-roberta", **SHAPES[shape],
        "vocab_size": vocab_size, "type_vocab_size": 1, "hidden_act": "gelu", "layer_norm_eps": 1e-5,
        "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "position_embedding_type": "absolute",
        "attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.1, "initializer_range": 0.02,
        "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, "torch_dtype": "float32",
    }


# ---- tokenizer

def pad_vocabulary(pieces, size):
    """Adds pieces like the real ones: likely enough to be looked at, never likely enough to be chosen."""
    draw, known, out = random.Random(0), {piece for piece, _ in pieces}, list(pieces)
    tails = [entry for entry in pieces if not entry[0].startswith("▁")]
    while len(out) < size:
        (a, score_a), (b, score_b) = draw.choice(pieces), draw.choice(tails)
        if a + b not in known:
            known.add(a + b)
            out.append([a + b, score_a + score_b - 1])
    return out


def make_tokenizer(size):
    """tokenizer.json as XLM-R's: https://huggingface.co/FacebookAI/xlm-roberta-base/blob/main/tokenizer.json; at least `size` pieces"""
    with open(os.path.join(HERE, "..", "models", "mini", "tokenizer.json"), encoding="utf-8") as file:
        mini = json.load(file)
    special = {token["content"] for token in mini["added_tokens"]}
    pieces = [entry for entry in mini["model"]["vocab"] if entry[0] not in special]
    head = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]
    vocab = head + pad_vocabulary(pieces, size - 5) + [["<mask>", 0.0]]
    ids = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": len(vocab) - 1}
    add = lambda text: {"SpecialToken": {"id": text, "type_id": 0}}
    part = lambda name: {"Sequence": {"id": name, "type_id": 0}}
    metaspace = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True, "prepend_scheme": "always"}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": text, "single_word": False, "lstrip": text == "<mask>", "rstrip": False,
                          "normalized": False, "special": True} for text, i in ids.items()],
        "normalizer": mini["normalizer"],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [add("<s>"), part("A"), add("</s>")],
            "pair": [add("<s>"), part("A"), add("</s>"), add("</s>"), part("B"), add("</s>")],
            "special_tokens": {text: {"id": text, "ids": [ids[text]], "tokens": [text]} for text in ("<s>", "</s>")}},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab},
    }


TOKENIZER_CONFIG = {
    "tokenizer_class": "XLMRobertaTokenizer", "bos_token": "<s>", "eos_token": "</s>",
    "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>",
}


# ---- weights

def tensor_shapes(config):
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = {}

    def linear(name, out, into):
        shapes[name + ".weight"], shapes[name + ".bias"] = (out, into), (out,)

    def norm(name):
        shapes[name + ".weight"], shapes[name + ".bias"] = (hidden,), (hidden,)

    for name, rows in (("word", config["vocab_size"]), ("position", config["max_position_embeddings"]), ("token_type", 1)):
        shapes[f"roberta.embeddings.{name}_embeddings.weight"] = (rows, hidden)
    norm("roberta.embeddings.LayerNorm")
    for i in range(config["num_hidden_layers"]):
        at = f"roberta.encoder.layer.{i}."
        for name in ("query", "key", "value"):
            linear(f"{at}attention.self.{name}", hidden, hidden)
        linear(at + "attention.output.dense", hidden, hidden)
        norm(at + "attention.output.LayerNorm")
        linear(at + "intermediate.dense", inner, hidden)
        linear(at + "output.dense", hidden, inner)
        norm(at + "output.LayerNorm")
    linear("classifier.dense", hidden, hidden)
    linear("classifier.out_proj", 1, hidden)
    return shapes


def make_weights(config, seed, outliers=False, lively=False):
    """N(0, 0.02); LayerNorm weights round 1. Lively ones keep a layer's variance, so that logits do depend on the passage."""
    torch.manual_seed(seed)
    deviation = config["hidden_size"] ** -0.5 if lively else 0.02
    weights = {}
    for name, shape in tensor_shapes(config).items():
        weights[name] = torch.randn(shape) * deviation
        if name.endswith("LayerNorm.weight"):
            weights[name] += 1
    if outliers:
        add_outliers(config, weights)
    return weights


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--outliers", action="store_true", help="some channels tens of times larger than the rest")
    parser.add_argument("--lively", action="store_true", help="larger weights: logits spread well beyond rounding errors")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint-only", action="store_true", help="only Hugging Face's layout")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    tokenizer = make_tokenizer(0 if args.shape == "tiny" else VOCABULARY)
    config = make_config(args.shape, len(tokenizer["model"]["vocab"]))
    write_json(f"{args.out}/config.json", config)
    write_json(f"{args.out}/tokenizer.json", tokenizer)
    write_json(f"{args.out}/tokenizer_config.json", {**TOKENIZER_CONFIG, "model_max_length": config["max_position_embeddings"] - 2})
    weights = make_weights(config, args.seed, args.outliers, args.lively)
    write_file(f"{args.out}/model.safetensors", weights, dtype="F32")
    if args.checkpoint_only or args.shape != "base":
        return
    import gguf
    import onnx_formats
    onnx_formats.write(args.out, config, weights)
    for kind in ("f16", "q8_0"):
        gguf.write(f"{args.out}/model-{kind}.gguf", kind, config, weights, tokenizer)


if __name__ == "__main__":
    main()
