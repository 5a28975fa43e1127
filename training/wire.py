"""The hand-wired initialisation: a BERT of 3 layers that matches query tokens against passage tokens before any training.

The hidden state is divided into blocks; every attention head below reads some blocks and writes others. Norms are chosen
so that a token's vector has a length near sqrt(192): then LayerNorm (weight 1, bias 0) leaves it almost as it is.

    layer 1  head 0  a token finds its like (identity) in the other segment   -> flag SAME
             head 1  a token finds its kin (meaning) in the other segment     -> flag KIN
             head 2  the previous token's identity                            -> PREV
    layer 2  head 0  a token and its predecessor find the same pair           -> flag PAIR
             head 1  the meaning of a token and its left neighbours           -> (left to training)
             head 2  how many neighbours are matched                          -> NEAR
    last     head 0  [CLS] averages the query's flags, weighted by IDF        -> POOL[0:4]
             head 1  [CLS] looks at the best matched part of the passage      -> POOL[4:7]
             head 2  [CLS] looks for an important query token without a match -> POOL[7:9]

A deeper network has layers that do next to nothing between the second and the last, a wider one has numbers that nothing reads yet.
"""
import math

import numpy as np
import torch

WIRED, HEAD, POSITIONS = 192, 64, 512  # numbers of the hidden state that are wired; size of an attention head; longest input
SAME_AS, MEANING = slice(0, 62), slice(62, 124)  # identity and meaning of the token
IDF, QUERY, PASSAGE, SPECIAL = 124, 125, 126, 127
PLACE = slice(128, 144)  # sine and cosine of 8 frequencies
SAME, KIN, PAIR, NEAR = 144, 145, 146, 147
POOL = 148  # 9 slots
PREV = slice(157, 187)  # identity of the previous token, its first 30 numbers
BALLAST = slice(187, 192)  # gives special tokens the length of the others
RATES = np.array([2.4, 1.7, 1.2, 0.8, 0.5, 0.3, 0.15, 0.05])  # radians a token; no two positions look alike
IDENTITY_NORM, MEANING_NORM, PLACE_NORM, SEGMENT, SINK = 80**0.5, 60**0.5, 4.0, 2.0, 6.0

# Words that say how a question is asked and not what about: they count for nothing, however rare they are in the texts.
QUESTION_WORDS = set("""a an the of to in on for and or is are was were be do does did can could should would will i my me we our you
your it its this that what which who whom when where why how there with by at from as about tell please explain mean means way
的 了 是 在 和 与 吗 呢 我 你 您 它 这 那 有 请 要 想 该 什么 怎么 怎样 如何 哪些 哪个 哪里 哪 为什么 谁 多少 几 可以 能 能否 是否 一个 一下""".split())


def configuration(layers=3, hidden=192, ffn=384):
    """config.json of a network of this shape."""
    return {
        "architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": hidden // HEAD, "intermediate_size": ffn, "hidden_act": "gelu",
        "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0,
        "position_embedding_type": "absolute", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.02, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, "torch_dtype": "float16",
    }


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)


def identities(pieces, size=62):
    """A random direction for each token, mixed with those of its characters: parts of a word still look alike.

    For Chinese the characters are the parts, so that "数据" is close to "数据库"; for other words three-letter pieces are.
    """
    def direction(text):
        seed = int.from_bytes(text.encode()[:24].rjust(24, b"\0"), "big") % (2**32 - 5)
        return unit(np.random.default_rng([seed, len(text)]).standard_normal(size))
    rows = []
    for piece in pieces:
        text = piece.strip("▁")
        chinese = any("\u3400" <= c <= "\u9fff" for c in text)
        parts = list(text) if chinese else [f"<{text}>"[i:i + 3] for i in range(max(len(text), 1))]
        shared = unit(sum(direction(p) for p in parts)) if parts else 0
        if not chinese or len(text) > 1:
            shared = unit(0.75 * shared + (0.65 if chinese else 0.9) * direction("=" + text))
        rows.append(shared)
    return np.array(rows)


def places():
    angles = np.arange(POSITIONS)[:, None] * RATES
    return np.concatenate([np.sin(angles), np.cos(angles)], 1) * PLACE_NORM / 8**0.5


def embeddings(w, pieces, meaning, idf, hidden):
    """idf: natural logarithm of each token's inverse document frequency, about 0 for the commonest."""
    table = np.zeros((len(pieces), hidden), np.float32)
    table[:, SAME_AS] = identities(pieces) * IDENTITY_NORM
    table[:, MEANING] = unit(meaning) * MEANING_NORM
    table[:, IDF] = np.clip(2 * (np.log(np.maximum(idf, 0.7)) - 1.6), -3, 3)
    for piece, row in zip(pieces, table):
        if piece.strip("▁") in QUESTION_WORDS or not any(c.isalnum() for c in piece):
            row[IDF] = -3
    table[:4] = 0  # [PAD] [UNK] [CLS] [SEP]
    table[[0, 2, 3], SPECIAL] = SINK
    table[:4, BALLAST] = 5 * np.array([1, -1, 1, -1, 1])
    at = "bert.embeddings."
    w[at + "word_embeddings.weight"] = table
    w[at + "position_embeddings.weight"] = np.zeros((POSITIONS, hidden), np.float32)
    w[at + "position_embeddings.weight"][:, PLACE] = places()
    w[at + "token_type_embeddings.weight"] = np.zeros((2, hidden), np.float32)
    w[at + "token_type_embeddings.weight"][0, QUERY] = SEGMENT
    w[at + "token_type_embeddings.weight"][1, PASSAGE] = SEGMENT


class Head:
    """One attention head of one layer: names which inputs make its 64 query, key and value numbers, and where values go."""

    def __init__(self, w, layer, head):
        at = f"bert.encoder.layer.{layer}.attention."
        rows = slice(head * HEAD, (head + 1) * HEAD)
        self.q, self.k, self.v = (w[f"{at}self.{n}.weight"][rows] for n in ("query", "key", "value"))
        self.out = w[f"{at}output.dense.weight"][:, rows]

    def alike(self, first, block, score, norm):
        """Score `score` for two tokens whose blocks (of length `norm`) are the same."""
        size = block.stop - block.start
        scale = (score * 8 / norm**2) ** 0.5
        for i in range(size):
            self.q[first + i, block.start + i] = self.k[first + i, block.start + i] = scale

    def across(self, first, bonus, sink):
        """`bonus` for the other segment's tokens; `sink` above that for its [SEP] or [CLS], to go to when nothing matches."""
        scale = (bonus * 8) ** 0.5 / SEGMENT
        for row, mine, other in ((first, QUERY, PASSAGE), (first + 1, PASSAGE, QUERY)):
            self.q[row, mine] = self.k[row, other] = scale
            self.k[row, SPECIAL] = sink * 8 / (scale * SEGMENT * SINK)

    def send(self, row, weights, slot, gain=1.0):
        """Carry a sum of inputs, {input: weight}, from the attended tokens to `slot` of the attending one."""
        for i, weight in weights.items():
            self.v[row, i] = weight
        self.out[slot, row] = gain

    def shifted(self, first, sharpness, shift):
        """Attend to the token `shift` places away: turn the query's sines and cosines by that many steps."""
        scale = (sharpness * 8 / PLACE_NORM**2 * 8) ** 0.5
        for i, rate in enumerate(RATES):
            s, c = PLACE.start + i, PLACE.start + 8 + i
            sin, cos = math.sin(rate * shift), math.cos(rate * shift)
            self.k[first + i, s] = self.k[first + 8 + i, c] = scale
            self.q[first + i, s], self.q[first + i, c] = scale * cos, scale * sin
            self.q[first + 8 + i, s], self.q[first + 8 + i, c] = -scale * sin, scale * cos


REAL = {QUERY: 1 / SEGMENT, PASSAGE: 1 / SEGMENT, SPECIAL: -1 / SINK}  # 1 for words, 0 for special tokens


def first_layer(w):
    same, kin, prev = (Head(w, 0, h) for h in range(3))
    same.alike(0, SAME_AS, 20, IDENTITY_NORM)
    same.across(62, 24, 13)
    same.send(0, REAL, SAME, 3)
    kin.alike(0, MEANING, 24, MEANING_NORM)
    kin.across(62, 24, 21)
    kin.send(0, REAL, KIN, 3)
    prev.shifted(0, 5, -1)
    for i in range(30):
        prev.send(i, {i: 1}, PREV.start + i)


def second_layer(w):
    pair, _, near = (Head(w, 1, h) for h in range(3))
    # PREV holds numbers 0..29 of the predecessor, so compare the token itself by numbers 30..61.
    pair.alike(0, slice(30, 62), 15, IDENTITY_NORM * (32 / 62) ** 0.5)
    pair.alike(32, PREV, 15, IDENTITY_NORM * (30 / 62) ** 0.5)
    pair.across(62, 36, 27)
    pair.send(0, REAL, PAIR, 3)
    near.shifted(0, 0.5, 0)
    near.send(0, {SAME: 0.7, KIN: 0.5, PAIR: 0.3}, NEAR, 2)


def last_layer(w, number, bias):
    """[CLS] asks by a constant (the query bias); what it asks for stands in the key weights."""
    cover, best, missing = (Head(w, number, h) for h in range(3))
    for head, place, key in (
        (cover, 0, {QUERY: 2.5, PASSAGE: -2.5, SPECIAL: -2, IDF: 1.2}),
        (best, 1, {QUERY: -2, PASSAGE: 2, SPECIAL: -2, SAME: 0.6, NEAR: 0.6, PAIR: 0.4, IDF: 0.5}),
        (missing, 2, {QUERY: 2.5, PASSAGE: -2.5, SPECIAL: -2, IDF: 1.0, KIN: -0.8, SAME: -0.5}),
    ):
        bias[place * HEAD] = 8.0
        for i, weight in key.items():
            head.k[0, i] = weight
    for i, slot in enumerate((SAME, KIN, PAIR, NEAR)):
        cover.send(i, {slot: 1}, POOL + i, 2)
    for i, slot in enumerate((NEAR, PAIR, IDF)):
        best.send(i, {slot: 1}, POOL + 4 + i)
    for i, slot in enumerate((KIN, IDF)):
        missing.send(i, {slot: 1}, POOL + 7 + i)


def build(pieces, meaning, idf, config, seed=1):
    """All weights, {name: float32 tensor}, under the names that transformers gives them."""
    layers, hidden, ffn = (config[k] for k in ("num_hidden_layers", "hidden_size", "intermediate_size"))
    noise = np.random.default_rng(seed)
    small = lambda *shape: (noise.standard_normal(shape) * 0.004).astype(np.float32)
    zeros = lambda n: np.zeros(n, np.float32)
    w = {}
    embeddings(w, pieces, meaning, idf, hidden)
    norms = ["bert.embeddings.LayerNorm"]
    for i in range(layers):
        at = f"bert.encoder.layer.{i}."
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            w[f"{at}attention.{name}.weight"], w[f"{at}attention.{name}.bias"] = small(hidden, hidden), zeros(hidden)
        w[at + "intermediate.dense.weight"], w[at + "intermediate.dense.bias"] = 20 * small(ffn, hidden), zeros(ffn)
        w[at + "output.dense.weight"], w[at + "output.dense.bias"] = small(hidden, ffn), zeros(hidden)
        norms += [at + "attention.output.LayerNorm", at + "output.LayerNorm"]
    for name in norms:
        # LayerNorm gives a length of sqrt(hidden); the wiring counts on sqrt(192).
        w[name + ".weight"], w[name + ".bias"] = np.full(hidden, (WIRED / hidden) ** 0.5, np.float32), zeros(hidden)
        if name.endswith("output.LayerNorm"):  # nothing may blur what every later head relies on
            w[name.replace("LayerNorm", "dense.weight")][IDF:PLACE.stop] = 0
    first_layer(w)
    second_layer(w)
    last_layer(w, layers - 1, w[f"bert.encoder.layer.{layers - 1}.attention.self.query.bias"])
    # The pooler keeps the pooled slots in the straight part of tanh; the classifier adds them up.
    w["bert.pooler.dense.weight"], w["bert.pooler.dense.bias"] = 5 * small(hidden, hidden), zeros(hidden)
    w["classifier.weight"], w["classifier.bias"] = small(1, hidden), zeros(1)
    for slot, weight in ((0, 3), (1, 2.5), (2, 1.5), (3, 2.5), (4, 1), (5, 1), (6, 0.3), (7, 0.7)):
        w["bert.pooler.dense.weight"][POOL + slot, POOL + slot] = 0.15
        w["classifier.weight"][0, POOL + slot] = weight
    return {name: torch.from_numpy(np.ascontiguousarray(value, np.float32)) for name, value in w.items()}
