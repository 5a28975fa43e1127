#!/usr/bin/python3
"""PyTorch on the card (or on the CPU where there is none): peer.py MODEL WORKLOADS.json SECONDS OUT.json

Writes {"device", "versions", "reference": {dtype: {workload: logits}}, "peer": {"title", "runs"}}.
The reference is training/reference.py, one pair at a time. The peer is sentence-transformers' CrossEncoder, else plain
transformers, else the reference in padded batches, which is spared the tokenizing.
"""
import gc
import json
import os
import statistics
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "training"))
import reference  # noqa: E402

# Nothing is asked for over a network.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="true")

MAX_LENGTH = 512
# Pairs of each workload that the reference scores.
REFERENCE_PAIRS = 64
# CrossEncoder's default, and more for large cards; the faster one counts.
BATCHES = (32, 128)

device = "cuda" if torch.cuda.is_available() else "cpu"
# A CPU has no half precision worth the name, and old versions of PyTorch have none there at all.
half = device == "cuda"
DTYPES = {"fp32": torch.float32, "fp16": torch.float16} if half else {"fp32": torch.float32}


def open_reference(folder, dtype):
    model = reference.load(folder)
    model.weights = {name: tensor.to(device, dtype) for name, tensor in model.weights.items()}
    return model


def reference_logits(folder, workloads, dtype):
    model = open_reference(folder, dtype)
    return {
        name: [model(torch.tensor([ids], device=device)).item() for ids in work["ids"][:REFERENCE_PAIRS]]
        for name, work in workloads.items()
    }


# ---- peers: a title, and score(work, batch size) -> logits

def cross_encoder(folder):
    from sentence_transformers import CrossEncoder

    encoder = CrossEncoder(folder, max_length=MAX_LENGTH, device=device)
    if half:
        encoder.model.half()

    def score(work, batch):
        pairs = [(work["query"], passage) for passage in work["passages"]]
        return encoder.predict(pairs, batch_size=batch, show_progress_bar=False, activation_fn=torch.nn.Identity())

    return "sentence-transformers CrossEncoder", score


def by_length(lengths, batch, run):
    """run(indices) in batches of like lengths, longest first; logits in the order that was given."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    chunks = [order[i : i + batch] for i in range(0, len(order), batch)]
    logits = torch.cat([run(chunk).float() for chunk in chunks]).cpu()
    return logits[torch.tensor(order).argsort()].tolist()


def plain_transformers(folder):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).to(device, DTYPES["fp16" if half else "fp32"]).eval()

    @torch.inference_mode()
    def score(work, batch):
        def run(chunk):
            texts = [work["query"]] * len(chunk), [work["passages"][i] for i in chunk]
            inputs = tokenizer(*texts, padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
            return model(**inputs.to(device)).logits[:, 0]

        return by_length([len(passage) for passage in work["passages"]], batch, run)

    return "transformers", score


def plain_torch(folder):
    model = open_reference(folder, DTYPES["fp16" if half else "fp32"])
    config, w = model.config, model.weights
    at = reference.PREFIX[config["model_type"]] + "encoder.layer."

    @torch.no_grad()
    def score(work, batch):
        def run(chunk):
            pairs = [torch.tensor(work["ids"][i]) for i in chunk]
            ids = torch.nn.utils.rnn.pad_sequence(pairs, batch_first=True, padding_value=config["pad_token_id"]).to(device)
            x = reference.embed(config, w, ids, None)
            bias = (ids == config["pad_token_id"])[:, None, None, :].to(x.dtype) * torch.finfo(x.dtype).min
            for i in range(config["num_hidden_layers"]):
                x = reference.layer(config, w, f"{at}{i}.", x, bias)
            return reference.head(config, w, x[:, 0])[:, 0]

        return by_length([len(ids) for ids in work["ids"]], batch, run)

    return "plain PyTorch, tokens ready", score


def measure(score, work, batch, seconds):
    """The median of several runs, each from pairs to logits on the CPU, after one that does not count."""
    logits, times = score(work, batch), []
    least = 3 if seconds > 0 else 1
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        logits = score(work, batch)
        times.append(time.perf_counter() - start)
    ms = statistics.median(times) * 1000
    return {"batch": batch, "ms": ms, "pairsPerSecond": len(work["ids"]) / ms * 1000, "logits": [float(x) for x in logits]}


def fastest(score, work, seconds):
    runs = [measure(score, work, BATCHES[0], seconds)]
    for batch in BATCHES[1:]:
        try:
            runs.append(measure(score, work, batch, seconds))
        except RuntimeError as error:
            if "out of memory" not in str(error):
                raise
    return max(runs, key=lambda run: run["pairsPerSecond"])


def measure_peer(folder, workloads, seconds):
    """The first that runs; why others were passed over is told."""
    passed_over = {}
    for make in (cross_encoder, plain_transformers, plain_torch):
        try:
            title, score = make(folder)
            runs = {name: fastest(score, work, seconds) for name, work in workloads.items()}
            return {"title": title, "dtype": "fp16" if half else "fp32", "runs": runs, "passedOver": passed_over}
        except Exception as error:
            passed_over[make.__name__] = f"{type(error).__name__}: {error}"
            if make is plain_torch:
                raise


def versions():
    out = {"python": sys.version.split()[0], "torch": torch.__version__}
    for name in ("transformers", "sentence_transformers"):
        try:
            out[name] = __import__(name).__version__
        except ImportError:
            pass
    return out


def main():
    folder, path, seconds, out = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        workloads = json.load(file)
    logits = {}
    for name, dtype in DTYPES.items():
        logits[name] = reference_logits(folder, workloads, dtype)
        gc.collect()
        if half:
            torch.cuda.empty_cache()
    result = {
        "device": torch.cuda.get_device_name() if half else "CPU",
        "versions": versions(),
        "reference": logits,
        "peer": measure_peer(folder, workloads, float(seconds)),
    }
    with open(out, "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
