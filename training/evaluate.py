"""evaluate.py FOLDER...: MRR@10 and NDCG@10 of models/mini over BM25's top 20, on data sets in BEIR's layout.

A folder holds corpus.jsonl, queries.jsonl and qrels/test.tsv. For each set: BM25 (k1 0.9, b 0.4), the model alone, both
fused (the sum of their z-scores over the 20), and the 20 in random order, over the questions that have a relevant passage among
the 20. `A - B` gives a paired bootstrap interval (95 %) of the difference in MRR@10 to BM25.

    --model FOLDER   another checkpoint (with its own tokenizer.spm.model, or ours)
    --random         candidates are one relevant passage and 19 drawn at random (for questions in another language)
    --limit N        at most N questions, drawn at random
"""
import argparse
import json
import os

import numpy as np
import sentencepiece as spm
import torch

import reference
from bm25 import BM25
from tokenizer import MODEL, SPM

DEPTH, CLS, SEP, LONGEST = 20, 2, 3, 512


def read(folder):
    rows = lambda name: (json.loads(line) for line in open(os.path.join(folder, name), encoding="utf-8"))
    corpus = {r["_id"]: f"{r.get('title') or ''} {r['text']}".strip() for r in rows("corpus.jsonl")}
    queries = {r["_id"]: r["text"] for r in rows("queries.jsonl")}
    relevant = {}
    with open(os.path.join(folder, "qrels", "test.tsv"), encoding="utf-8") as f:
        for line in list(f)[1:]:
            query, passage, grade = line.split("\t")
            if int(grade) > 0 and passage in corpus:
                relevant.setdefault(query, {})[passage] = int(grade)
    return corpus, {q: t for q, t in queries.items() if q in relevant}, relevant


class Scorer:
    def __init__(self, folder, weights=None):
        self.model = reference.load(folder) if weights is None else reference.Reference(*weights)
        self.pieces = spm.SentencePieceProcessor(model_file=SPM)
        self.known = {}

    def ids(self, text):
        if text not in self.known:
            self.known[text] = self.pieces.encode(text)
        return self.known[text]

    def pair(self, query, passage):
        """[CLS] query [SEP] passage [SEP]: the query at most 3/4 of the length, the passage cut to what is left."""
        first = [CLS, *self.ids(query)[:LONGEST * 3 // 4 - 3], SEP]
        second = [*self.ids(passage)[:LONGEST - len(first) - 1], SEP]
        return first + second, [0] * len(first) + [1] * len(second)

    def score(self, query, passages):
        pairs = [self.pair(query, p) for p in passages]
        scores = np.zeros(len(pairs))
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]))
        for part in (order[i:i + 5] for i in range(0, len(order), 5)):
            width = max(len(pairs[i][0]) for i in part)
            ids, types, mask = (torch.zeros(len(part), width, dtype=torch.long) for _ in range(3))
            for row, i in enumerate(part):
                n = len(pairs[i][0])
                ids[row, :n], types[row, :n], mask[row, :n] = torch.tensor(pairs[i][0]), torch.tensor(pairs[i][1]), 1
            scores[part] = self.model(ids, types, mask)[:, 0].numpy()
        return scores


def mrr(grades):
    hits = np.flatnonzero(grades[:10])
    return 1 / (hits[0] + 1) if len(hits) else 0.0


def ndcg(grades, all_grades):
    gain = lambda g: sum((2.0**x - 1) / np.log2(i + 2) for i, x in enumerate(g[:10]))
    return gain(grades) / gain(sorted(all_grades, reverse=True))


def z(scores):
    return (scores - scores.mean()) / (scores.std() + 1e-9)


def candidates(names, texts, relevant, search, text, random, at_random):
    """(indices, BM25 scores) of 20 passages, in an order that gives nothing away."""
    if at_random:
        answer = names.index(random.choice(sorted(relevant)))
        others = random.choice([i for i in range(len(names)) if names[i] not in relevant], min(DEPTH - 1, len(names) - 1), replace=False)
        found = random.permutation(np.append(others, answer))
        return found, search.scores(text)[found]
    return search.top(text, DEPTH)


def measure(scorer, folder, at_random=False, limit=None):
    corpus, queries, relevant = read(folder)
    names, texts = list(corpus), list(corpus.values())
    search, random = BM25(texts), np.random.default_rng(1)
    asked = sorted(queries)
    if limit and limit < len(asked):
        asked = [asked[i] for i in random.choice(len(asked), limit, replace=False)]
    results, found_any = [], 0
    for query in asked:
        found, bm25 = candidates(names, texts, relevant[query], search, queries[query], random, at_random)
        grades = np.array([relevant[query].get(names[i], 0) for i in found])
        if not grades.any():
            continue
        found_any += 1
        model = scorer.score(queries[query], [texts[i] for i in found])
        shuffled = random.permutation(len(found))
        rankings = {"BM25": bm25, "model": model, "fused": z(bm25) + z(model), "random": shuffled}
        results.append({k: metrics(grades, s, relevant[query]) for k, s in rankings.items()})
    return results, found_any / max(len(asked), 1), len(asked)


def metrics(grades, scores, relevant):
    ordered = grades[np.argsort(-scores, kind="stable")]
    return mrr(ordered), ndcg(ordered, list(relevant.values()))


def interval(differences):
    random = np.random.default_rng(2)
    means = [random.choice(differences, len(differences)).mean() for _ in range(1000)]
    return np.percentile(means, [2.5, 97.5])


def report(name, results, recall, asked):
    column = lambda system, i: np.array([r[system][i] for r in results])
    cells = [f"{column(s, 0).mean():.3f} / {column(s, 1).mean():.3f}" for s in ("BM25", "model", "fused", "random")]
    for system in ("model", "fused"):
        low, high = interval(column(system, 0) - column("BM25", 0))
        cells.append(f"{low:+.3f} .. {high:+.3f}")
    print(f"| {name} | {len(results)} of {asked} | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    scorer = Scorer(options.model)
    print("MRR@10 / NDCG@10\n\n| set | questions | BM25 | model | fused | random | model - BM25 | fused - BM25 |\n|---|---|---|---|---|---|---|---|")
    for folder in options.folders:
        report(os.path.basename(os.path.normpath(folder)), *measure(scorer, folder, options.random, options.limit))


if __name__ == "__main__":
    main()
