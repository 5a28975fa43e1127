"""Read and write safetensors files (https://github.com/huggingface/safetensors#format) with nothing but PyTorch and NumPy."""
import json
import os
import struct

import numpy as np
import torch

INTEGERS = {"I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_}
FLOATS = {"F64": np.float64, "F32": np.float32, "F16": np.float16}


def to_tensor(raw, dtype, shape):
    """Bytes of one tensor -> torch tensor; every float type becomes float32 (exactly, but for F64)."""
    if dtype == "BF16":  # bfloat16 is the upper half of a float32
        array = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    elif dtype in FLOATS:
        array = np.frombuffer(raw, FLOATS[dtype]).astype(np.float32)
    elif dtype in INTEGERS:
        array = np.frombuffer(raw, INTEGERS[dtype]).copy()
    else:
        raise ValueError(f"safetensors dtype {dtype!r} is not supported")
    return torch.from_numpy(array).reshape(shape)


def read_file(path):
    """{name: tensor} of one .safetensors file."""
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
        data = f.read()
    return {
        name: to_tensor(data[slice(*entry["data_offsets"])], entry["dtype"], entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def read_folder(folder):
    """{name: tensor} of a checkpoint folder, in one file or sharded."""
    index = os.path.join(folder, "model.safetensors.index.json")
    if not os.path.exists(index):
        return read_file(os.path.join(folder, "model.safetensors"))
    with open(index, encoding="utf-8") as f:
        shards = sorted(set(json.load(f)["weight_map"].values()))
    return {name: tensor for shard in shards for name, tensor in read_file(os.path.join(folder, shard)).items()}


def write_file(path, tensors, dtype="F16"):
    """Write float tensors as F16 or F32, header padded with spaces so that the data begin at a multiple of 8 bytes."""
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in sorted(tensors.items()):
        array = tensor.detach().float().numpy().astype(FLOATS[dtype])
        assert np.isfinite(array).all(), f"{name} does not fit {dtype}"
        blob = array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.writelines(blobs)
