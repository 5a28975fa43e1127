"""Write models/mini: the weights as F16, config.json. The tokenizer is written by tokenizer.py."""
import json
import os

from safetensors_io import write_file
from tokenizer import MODEL
from wire import CONFIG


def export(weights, folder=MODEL):
    os.makedirs(folder, exist_ok=True)
    write_file(f"{folder}/model.safetensors", weights, "F16")
    size = len(weights["bert.embeddings.word_embeddings.weight"])
    with open(f"{folder}/config.json", "w", encoding="utf-8") as f:
        json.dump({**CONFIG, "vocab_size": size}, f, indent=2)
        f.write("\n")
