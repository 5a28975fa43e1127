"""tokenizer.py WORKDIR: train the SentencePiece unigram model and write it as a Hugging Face tokenizer into models/mini."""
import base64
import json
import os
import random
import shutil
import sys
import zlib

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as proto

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "..", "models", "mini")
SPM = os.path.join(HERE, "mini.spm.model")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]  # ids 0 to 3
BYTES = {"en": 24_000_000, "zh": 18_000_000}  # of text that the vocabulary is trained on


def keep(row):
    """A quarter of the two largest English sources: they would outweigh all else."""
    return row["source"] not in ("linux-doc-6.1", "python3.11-doc") or row["lang"] == "zh" or zlib.crc32(row["key"].encode()) % 4 == 0


def lines(work):
    """(language, line) of all text, one paragraph, entry or term a line."""
    def rows(name):
        with open(f"{work}/text/{name}.jsonl", encoding="utf-8") as f:
            yield from map(json.loads, f)
    for row in rows("questions"):
        yield row["lang"], row["q"]
    yield from {row["p"]: (row["lang"], row["p"]) for row in rows("questions")}.values()
    for row in rows("packages"):
        yield row["lang"], " ".join([row["synopsis"], *row["paragraphs"]])
    for name in ("pairs", "sentence-pairs", "manual-pairs"):
        for row in rows(name):
            yield "en", row["en"]
            yield "zh", row["zh"]
    for row in rows("terms"):
        yield "en", f"{row['term']} {row['text']}"
    for name in ("docs", "manuals"):
        for row in rows(name):
            for heading, paragraphs in row["sections"]:
                yield from ((row["lang"], text) for text in [heading, *paragraphs] if text and keep(row))


def sample(work):
    """A random choice of lines, BYTES of each language."""
    everything = list(lines(work))
    random.Random(1).shuffle(everything)
    left = dict(BYTES)
    with open(f"{work}/sample.txt", "w", encoding="utf-8") as f:
        for lang, text in everything:
            if left[lang] > 0 and len(text) < 4000:
                left[lang] -= len(text.encode())
                f.write(text + "\n")


def train(work):
    spm.SentencePieceTrainer.train(
        input=f"{work}/sample.txt", model_prefix=f"{work}/mini", model_type="unigram", vocab_size=16000,
        normalization_rule_name="nmt_nfkc_cf", character_coverage=0.9997, max_sentence_length=16000,
        max_sentencepiece_length=12, num_threads=2, train_extremely_large_corpus=False, input_sentence_size=400_000,
        pad_id=0, unk_id=1, bos_id=2, eos_id=3, pad_piece=SPECIAL[0], unk_piece=SPECIAL[1], bos_piece=SPECIAL[2],
        eos_piece=SPECIAL[3], minloglevel=1)
    shutil.copy(f"{work}/mini.model", SPM)


def special(content, i):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def convert():
    """tokenizer.json and tokenizer_config.json that give the same ids as SentencePiece."""
    model = proto.ModelProto()
    with open(SPM, "rb") as f:
        model.ParseFromString(f.read())
    charsmap = base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    part = lambda kind, name, types: {kind: {"id": name, "type_id": types}}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(token, i) for i, token in enumerate(SPECIAL)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": charsmap},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [part("SpecialToken", "[CLS]", 0), part("Sequence", "A", 0), part("SpecialToken", "[SEP]", 0)],
            "pair": [part("SpecialToken", "[CLS]", 0), part("Sequence", "A", 0), part("SpecialToken", "[SEP]", 0),
                     part("Sequence", "B", 1), part("SpecialToken", "[SEP]", 1)],
            "special_tokens": {token: {"id": token, "ids": [SPECIAL.index(token)], "tokens": [token]} for token in ("[CLS]", "[SEP]")}},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 1, "vocab": [[p.piece, p.score] for p in model.pieces], "byte_fallback": False},
    }
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "cls_token": "[CLS]", "sep_token": "[SEP]",
        "pad_token": "[PAD]", "unk_token": "[UNK]", "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": {str(i): {k: v for k, v in special(t, i).items() if k != "id"} for i, t in enumerate(SPECIAL)}}
    os.makedirs(MODEL, exist_ok=True)
    with open(f"{MODEL}/tokenizer.json", "w", encoding="utf-8") as f:
        json.dump(tokenizer, f, ensure_ascii=False)
    with open(f"{MODEL}/tokenizer_config.json", "w", encoding="utf-8") as f:
        json.dump(settings, f, ensure_ascii=False, indent=2)
        f.write("\n")


if __name__ == "__main__":
    sample(sys.argv[1])
    train(sys.argv[1])
    convert()
