"""evaluate.py FOLDER...: MRR@10 and NDCG@10 of a model over BM25's top 20, on data sets in BEIR's layout.

A folder holds corpus.jsonl, queries.jsonl and qrels/test.tsv. For each set: BM25 (k1 0.9, b 0.4) alone, the model alone, both
blended (the sum of their z-scores over the 20), and the 20 in random order. A question whose answer BM25 does not find counts 0.
`A - B` is the difference in MRR@10 with its paired bootstrap interval (95 %).

    --model FOLDER   another checkpoint than models/mini, with the same vocabulary
    --random         candidates are one relevant passage and 19 drawn at random (for questions in another language)
    --limit N        at most N questions, drawn at random
    --json FILE      the figures, too
"""
import openblas  # before NumPy

import argparse
import json
import os

import numpy as np
import sentencepiece as spm

import reference
from bm25 import BM25
from kernel import CORES, Kernel
from tokenizer import MODEL, SPM

DEPTH, LONGEST = 20, 512


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
    def __init__(self, folder=MODEL, threads=CORES):
        model = reference.load(folder)
        self.model = Kernel(model.config, model.weights, threads)
        self.pieces = spm.SentencePieceProcessor(model_file=SPM)
        self.known = {}

    def ids(self, text):
        if text not in self.known:
            self.known[text] = np.array(self.pieces.encode(text), np.int32)
        return self.known[text]

    def pairs(self, query, passages):
        """The query at most 3/4 of the length, the passage cut to what is left, as everywhere in this package."""
        query = self.ids(query)[:LONGEST * 3 // 4 - 2]
        return [(query, self.ids(p)[:LONGEST - len(query) - 3]) for p in passages]

    def score(self, asked):
        """asked: [(query, passages)]; the logits of each."""
        groups = [self.pairs(q, ps) for q, ps in asked]
        return np.split(self.model.score(groups), np.cumsum([len(g) for g in groups])[:-1])


def mrr(grades):
    hits = np.flatnonzero(grades[:10])
    return 1 / (hits[0] + 1) if len(hits) else 0.0


def ndcg(grades, all_grades):
    gain = lambda g: sum((2.0**x - 1) / np.log2(i + 2) for i, x in enumerate(g[:10]))
    return gain(grades) / gain(sorted(all_grades, reverse=True))


def z(scores):
    return (scores - scores.mean()) / (scores.std() + 1e-9)


def candidates(names, relevant, search, text, random, at_random):
    """(indices, BM25 scores) of 20 passages, in an order that gives nothing away."""
    if at_random:
        answer = names.index(random.choice(sorted(relevant)))
        others = random.choice([i for i in range(len(names)) if names[i] not in relevant], min(DEPTH - 1, len(names) - 1), replace=False)
        found = random.permutation(np.append(others, answer))
        return found, search.scores(text)[found]
    return search.top(text, DEPTH)


def measure(scorer, folder, at_random=False, limit=None):
    """[{system: (MRR@10, NDCG@10)}] for each question."""
    corpus, queries, relevant = read(folder)
    names, texts = list(corpus), list(corpus.values())
    search, random = BM25(texts), np.random.default_rng(1)
    asked = sorted(queries)
    if limit and limit < len(asked):
        asked = [asked[i] for i in random.choice(len(asked), limit, replace=False)]
    found = [candidates(names, relevant[q], search, queries[q], random, at_random) for q in asked]
    scores = scorer.score([(queries[q], [texts[i] for i in f]) for q, (f, _) in zip(asked, found)])
    results = []
    for query, (order, bm25), model in zip(asked, found, scores):
        grades = np.array([relevant[query].get(names[i], 0) for i in order])
        if not len(order):
            results.append(dict.fromkeys(SYSTEMS, (0.0, 0.0)))
            continue
        rankings = {"BM25": bm25, "model": model, "blended": z(bm25) + z(model), "random": random.permutation(len(order))}
        results.append({k: metrics(grades, s, relevant[query]) for k, s in rankings.items()})
    return results


SYSTEMS = ("BM25", "model", "blended", "random")


def metrics(grades, scores, relevant):
    ordered = grades[np.argsort(-scores, kind="stable")]
    return mrr(ordered), ndcg(ordered, list(relevant.values()))


def interval(differences):
    random = np.random.default_rng(2)
    means = [random.choice(differences, len(differences)).mean() for _ in range(1000)]
    return np.percentile(means, [2.5, 97.5])


def report(name, results):
    """Prints a row of the table and gives its figures."""
    column = lambda system, i: np.array([r[system][i] for r in results])
    figures = {s: {"mrr@10": column(s, 0).mean(), "ndcg@10": column(s, 1).mean()} for s in SYSTEMS}
    cells = [f"{f['mrr@10']:.3f} / {f['ndcg@10']:.3f}" for f in figures.values()]
    for system in ("model", "blended"):
        low, high = interval(column(system, 0) - column("BM25", 0))
        figures[system]["difference"] = [low, high]
        cells.append(f"{low:+.3f} .. {high:+.3f}")
    print(f"| {name} | {len(results)} | " + " | ".join(cells) + " |", flush=True)
    return {"questions": len(results), **figures}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json")
    options = parser.parse_args()
    scorer, figures = Scorer(options.model), {}
    print("MRR@10 / NDCG@10\n\n| set | questions | BM25 | model | blended | random | model - BM25 | blended - BM25 |\n|---|---|---|---|---|---|---|---|")
    for folder in options.folders:
        name = os.path.basename(os.path.normpath(folder))
        figures[name] = report(name, measure(scorer, folder, options.random, options.limit))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(figures, f, indent=1)


if __name__ == "__main__":
    main()
