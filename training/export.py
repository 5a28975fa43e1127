"""Write a checkpoint: the weights as F16, and config.json. The tokenizer is written by tokenizer.py."""
import json
import os

from safetensors_io import write_file


def export(weights, config, folder):
    os.makedirs(folder, exist_ok=True)
    write_file(f"{folder}/model.safetensors", weights, "F16")
    with open(f"{folder}/config.json", "w", encoding="utf-8") as f:
        json.dump(config, f, indent=2)
        f.write("\n")
