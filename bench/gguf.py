"""GGUF files of an XLM-R reranker, as llama.cpp's converter writes them: architecture "bert" with rank pooling and the "t5"
tokenizer (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""
import base64
import struct

import numpy as np

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
F32, F16, Q8_0 = 0, 1, 8
FILE_TYPE = {"f16": 1, "q8_0": 7}
NORMAL, UNKNOWN, CONTROL = 1, 2, 3


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def uint32(value):
    return UINT32, struct.pack("<I", value)


def string(value):
    return STRING, text(value)


def boolean(value):
    return BOOL, struct.pack("<?", value)


def array(kind, count, raw):
    return ARRAY, struct.pack("<IQ", kind, count) + raw


def metadata(kind, config, tokenizer):
    vocab = tokenizer["model"]["vocab"]
    types = np.full(len(vocab), NORMAL, "<i4")
    types[[0, 1, 2, len(vocab) - 1]] = CONTROL
    types[tokenizer["model"]["unk_id"]] = UNKNOWN
    charsmap = base64.b64decode(find_charsmap(tokenizer["normalizer"]))
    entries = {
        "general.architecture": string("bert"), "general.type": string("model"), "general.file_type": uint32(FILE_TYPE[kind]),
        "general.quantization_version": uint32(2), "bert.block_count": uint32(config["num_hidden_layers"]),
        "bert.context_length": uint32(config["max_position_embeddings"] - 2),
        "bert.embedding_length": uint32(config["hidden_size"]),
        "bert.feed_forward_length": uint32(config["intermediate_size"]),
        "bert.attention.head_count": uint32(config["num_attention_heads"]),
        "bert.attention.layer_norm_epsilon": (FLOAT32, struct.pack("<f", config["layer_norm_eps"])),
        "bert.attention.causal": boolean(False), "bert.pooling_type": uint32(4),
        "bert.classifier.output_labels": array(STRING, 1, text("LABEL_0")),
        "tokenizer.ggml.model": string("t5"), "tokenizer.ggml.pre": string("default"),
        "tokenizer.ggml.tokens": array(STRING, len(vocab), b"".join(text(piece) for piece, _ in vocab)),
        "tokenizer.ggml.scores": array(FLOAT32, len(vocab), np.array([score for _, score in vocab], "<f4").tobytes()),
        "tokenizer.ggml.token_type": array(INT32, len(vocab), types.tobytes()),
        "tokenizer.ggml.token_type_count": uint32(1), "tokenizer.ggml.add_space_prefix": boolean(True),
        "tokenizer.ggml.remove_extra_whitespaces": boolean(True),
        "tokenizer.ggml.precompiled_charsmap": array(0, len(charsmap), charsmap),
        "tokenizer.ggml.add_bos_token": boolean(True), "tokenizer.ggml.add_eos_token": boolean(True),
    }
    for name, i in (("bos", 0), ("eos", 2), ("unknown", 3), ("seperator", 2), ("padding", 1), ("cls", 0), ("mask", len(vocab) - 1)):
        entries[f"tokenizer.ggml.{name}_token_id"] = uint32(i)
    return entries


def find_charsmap(normalizer):
    parts = normalizer.get("normalizers", [normalizer])
    return next(part["precompiled_charsmap"] for part in parts if part["type"] == "Precompiled")


def tensors(config, weights):
    """(GGUF's name, array), in GGUF's order. llama.cpp counts positions from 0."""
    at = "roberta.embeddings."
    names = [("token_embd.weight", at + "word_embeddings.weight"), ("position_embd.weight", at + "position_embeddings.weight"),
             ("token_types.weight", at + "token_type_embeddings.weight")]
    names += [(f"token_embd_norm.{part}", f"{at}LayerNorm.{part}") for part in ("weight", "bias")]
    parts = {"attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
             "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
             "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}
    for i in range(config["num_hidden_layers"]):
        names += [(f"blk.{i}.{short}.{part}", f"roberta.encoder.layer.{i}.{long}.{part}")
                  for long, short in parts.items() for part in ("weight", "bias")]
    names += [("cls.weight", "classifier.dense.weight"), ("cls.bias", "classifier.dense.bias"),
              ("cls.output.weight", "classifier.out_proj.weight"), ("cls.output.bias", "classifier.out_proj.bias")]
    for name, source in names:
        values = weights[source].numpy()
        yield name, values[2:] if name == "position_embd.weight" else values


def encode(kind, name, values):
    if values.ndim < 2 or name in ("position_embd.weight", "token_types.weight", "cls.output.weight"):
        return F32, values.astype("<f4").tobytes()
    if kind == "f16":
        return F16, values.astype("<f2").tobytes()
    blocks = values.reshape(-1, 32)  # Q8_0: a float16 scale and 32 int8
    scale = np.abs(blocks).max(axis=1, keepdims=True) / 127
    quants = np.rint(blocks / np.where(scale > 0, scale, 1)).astype(np.int8)
    return Q8_0, np.concatenate([scale.astype("<f2").view(np.uint8), quants.view(np.uint8)], axis=1).tobytes()


def write(path, kind, config, weights, tokenizer):
    entries, infos, blobs, offset = metadata(kind, config, tokenizer), [], [], 0
    for name, values in tensors(config, weights):
        code, raw = encode(kind, name, values)
        dims = values.shape[::-1]
        infos.append(text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, code, offset))
        blobs.append(raw + b"\0" * (-len(raw) % 32))
        offset += len(blobs[-1])
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(entries))
    head += b"".join(text(key) + struct.pack("<I", code) + raw for key, (code, raw) in entries.items()) + b"".join(infos)
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % 32))
        file.writelines(blobs)
