"""Meaning vectors and document frequencies of the vocabulary, from co-occurrence: PPMI, truncated SVD, translations merged."""
import json
import os

import numpy as np
import sentencepiece as spm
import torch

from tokenizer import SPM, lines

WINDOW, SIZE = 6, 62


def encode(work, limit):
    """(language, ids) of every line of text, at most `limit` characters of each language."""
    pieces = spm.SentencePieceProcessor(model_file=SPM)
    used, rows = {"en": 0, "zh": 0}, []
    for lang, text in lines(work):
        used[lang] += len(text)
        if used[lang] < limit:
            rows.append((lang, np.array(pieces.encode(text[:4000]), np.int64)))
    return rows


def document_frequency(rows, size):
    """Natural log of inverse document frequency; a token counts in the language where it is commoner."""
    rates = []
    for lang in ("en", "zh"):
        count, total = np.ones(size), 1
        for row_lang, ids in rows:
            if row_lang == lang and len(ids) > 8:  # entries and menu labels are no documents
                count[np.unique(ids)] += 1
                total += 1
        rates.append(count / total)
    return -np.log(np.minimum(np.maximum(*rates), 1))


def cooccurrence(rows, size):
    """Counts of two tokens within WINDOW of each other, nearer ones weighing more."""
    counts = torch.zeros(size * size)
    stream = torch.from_numpy(np.concatenate([np.append(ids, [0] * WINDOW) for _, ids in rows]))
    for distance in range(1, WINDOW + 1):
        for a, b in zip(stream[:-distance].split(5_000_000), stream[distance:].split(5_000_000)):
            real = (a > 3) & (b > 3)
            counts.index_add_(0, a[real] * size + b[real], torch.full((int(real.sum()),), 1 / distance**0.5))
    counts = counts.view(size, size)
    return counts + counts.T


def ppmi(counts, shift=0.5):
    """log of observed over expected, from `shift` up; context frequencies smoothed by the power 0.75 (Levy et al., 2015)."""
    row = counts.sum(1, keepdim=True).clamp(min=1)
    column = counts.sum(0, keepdim=True).clamp(min=1) ** 0.75
    column /= column.sum()
    return counts.div_(row).div_(column).clamp_(min=1e-9).log_().sub_(shift).clamp_(min=0)


def svd(matrix, size, rounds=4):
    """Leading `size` left singular vectors times the root of their values, by randomised subspace iteration."""
    torch.manual_seed(1)
    basis = torch.randn(matrix.shape[1], size + 30)
    for _ in range(rounds):
        basis = torch.linalg.qr(matrix @ basis)[0]
        basis = torch.linalg.qr(matrix.T @ basis)[0]
    u, s, _ = torch.linalg.svd(matrix @ basis, full_matrices=False)
    return (u[:, :size] * s[:size].sqrt()).numpy()


def sentence_pairs(work):
    for name in ("pairs", "sentence-pairs", "manual-pairs"):
        with open(f"{work}/text/{name}.jsonl", encoding="utf-8") as f:
            yield from map(json.loads, f)


def links(work, size):
    """(English id, Chinese id, weight) of tokens that stand in the same sentence pair, a pair's weights summing to its length."""
    pieces = spm.SentencePieceProcessor(model_file=SPM)
    english, chinese, pair = [], [], []
    for number, row in enumerate(sentence_pairs(work)):
        for part in row["en"].split("; ")[:4] if row["source"] == "cc-cedict" else [row["en"]]:
            e, z = (np.unique(pieces.encode(t)) for t in (part, row["zh"]))
            if 0 < len(e) <= 40 and 0 < len(z) <= 40:
                english.append(np.repeat(e, len(z)))
                chinese.append(np.tile(z, len(e)))
                pair.append(np.repeat(e * 0 + number * 4 + 1, len(z)))
    return np.concatenate(english), np.concatenate(chinese), np.unique(np.concatenate(pair), return_inverse=True)[1]


def translations(source, target, pair, size, rounds=4):
    """IBM Model 1: the probability of each target token given a source token, as a sparse matrix [source, target]."""
    key, place = np.unique(target * size + source, return_inverse=True)
    to, of = key // size, key % size
    chance = np.ones(len(key))
    group = np.unique(pair * size + target, return_inverse=True)[1]  # one target token of one pair
    for _ in range(rounds):
        share = chance[place]
        share /= np.bincount(group, share)[group]
        chance = np.bincount(place, share)
        total = np.bincount(of, chance, minlength=size)
        chance = chance / (total[of] + 1)  # + 1: a token seen once proves little
    keep = chance > 0.03
    return torch.sparse_coo_tensor(np.stack([of[keep], to[keep]]), torch.from_numpy(chance[keep]).float(), (size, size))


def unit(rows):
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-6)


def meanings(work, cache):
    """(vectors [vocabulary, SIZE], idf [vocabulary]); kept in `cache`, since counting takes minutes."""
    if os.path.exists(cache):
        kept = np.load(cache)
        return kept["meaning"], kept["idf"]
    size = spm.SentencePieceProcessor(model_file=SPM).get_piece_size()
    rows = encode(work, 45_000_000)
    idf = document_frequency(rows, size)
    english, chinese, pair = links(work, size)
    counts = cooccurrence(rows, size)
    for e, z in zip(np.array_split(english, 8), np.array_split(chinese, 8)):
        for a, b in ((e, z), (z, e)):
            counts.view(-1).index_add_(0, torch.from_numpy(a * size + b), torch.ones(len(a)))
    vectors = torch.from_numpy(svd(ppmi(counts), SIZE)).float()
    vectors = unit(vectors - vectors.mean(0))
    to_chinese, to_english = translations(english, chinese, pair, size), translations(chinese, english, pair, size)
    for _ in range(2):  # a token moves towards its translations, the surest most
        moved = torch.sparse.mm(to_chinese, vectors) + torch.sparse.mm(to_english, vectors)
        vectors = unit(vectors + 1.5 * moved)
    vectors = unit(vectors - vectors.mean(0))
    np.savez(cache, meaning=vectors.numpy(), idf=idf)
    return vectors.numpy(), idf
