"""train.py WORKDIR MINUTES1 MINUTES2 [--teacher FILE]: train models/mini from the hand-wired start.

Listwise cross-entropy over one passage that answers and 7 others (5 near ones, 2 by chance). Stage 1 sees windows of 48 to 160
tokens round the words that the question shares with the passage; stage 2 windows of 96 to 400, some passages put into unrelated
text, so that the answer stands anywhere in a long passage. Every fifth question gets the slips of a hurried typist. The exported
weights are an exponential moving average.

WORKDIR/state.npz is written every few minutes; a run that was stopped goes on from it. `--shape LAYERSxHIDDENxFFN` trains another
network for comparison, `--out FOLDER` writes it elsewhere, `--kinds A,B` leaves all other kinds of groups out.
"""
import openblas  # before NumPy

import argparse
import json
import os
import queue
import random
import threading
import time

import numpy as np
import sentencepiece as spm
import torch

from export import export
from kernel import CORES, Kernel
from meaning import meanings
from safetensors_io import read_file
from spans import noisy
from tokenizer import MODEL, SPM
from wire import build, configuration

GROUPS, NEAR, CHANCE = 16, 5, 2  # groups a step; negatives of each sort
RATES = {1: (6e-4, 1.2e-4), 2: (3e-4, 6e-5)}  # of the network and of the word embeddings, by stage
KEEP = {1: 0.998, 2: 0.995}
WINDOWS = {1: (48, 64, 96, 128, 160), 2: (96, 128, 192, 256, 400)}
QUERY, LONGEST = 48, 512 - 48 - 3
REAL = ("squad", "qed", "clapnq", "clapnq-answer", "quotesum", "drcd", "cmrc", "cmrc-train")
# How often a kind is drawn, relative to the number of its groups.
WEIGHT = {**{kind: 3 for kind in REAL}, "faq": 3, "dolly": 1.5, "cloze-en": 0.5, "cloze-zh": 0.5, "term": 0.5, "package": 0.7, "dictionary": 0.5,
          "dstc9": 0.7}


class Data:
    """Draws groups as token ids; no group of a kind comes again before all of that kind were seen."""

    def __init__(self, work, kinds=None, seed=3):
        self.pieces = spm.SentencePieceProcessor(model_file=SPM)
        self.random = random.Random(seed)
        with open(f"{work}/passages.jsonl", encoding="utf-8") as f:
            self.passages = [json.loads(line) for line in f]
        self.known = {}
        self.kinds = {}
        with open(f"{work}/train.jsonl", encoding="utf-8") as f:
            for g in map(json.loads, f):
                if kinds is None or g["kind"] in kinds:
                    self.kinds.setdefault(g["kind"], []).append(g)
        self.shares = {k: len(v) * WEIGHT.get(k, 1) for k, v in self.kinds.items()}
        self.left = {k: [] for k in self.kinds}

    def tokens(self, number):
        if number not in self.known:
            self.known[number] = np.array(self.pieces.encode(self.passages[number][:3000]), np.int32)
        return self.known[number]

    def draw(self):
        kind = self.random.choices(list(self.shares), list(self.shares.values()))[0]
        if not self.left[kind]:
            self.left[kind] = self.random.sample(self.kinds[kind], len(self.kinds[kind]))
        return self.left[kind].pop()

    def window(self, query, tokens, longest):
        """The part of `tokens` that shares most with the query, not always exactly there."""
        if len(tokens) <= longest:
            return tokens
        hits = np.cumsum(np.concatenate([[0], np.isin(tokens, query)]))
        inside = hits[longest:] - hits[:-longest]
        best = self.random.choice(np.flatnonzero(inside == inside.max()))
        start = best + self.random.randint(-longest // 4, longest // 4)
        return tokens[min(max(start, 0), len(tokens) - longest):][:longest]

    def padded(self, tokens, goal):
        """The passage somewhere in unrelated text, `goal` tokens long."""
        missing = goal - len(tokens)
        if missing < 16:
            return tokens
        filler = np.concatenate([self.tokens(self.random.randrange(len(self.passages))) for _ in range(2)])[:missing]
        cut = self.random.randint(0, len(filler))
        return np.concatenate([filler[:cut], tokens, filler[cut:]])

    def group(self, stage):
        g = self.draw()
        text = noisy(g["query"]) if self.random.random() < 0.2 else g["query"]
        query = np.array(self.pieces.encode(text)[:QUERY], np.int32)
        hard = self.random.sample(g["hard"], min(NEAR, len(g["hard"])))
        rest = [n for n in g["easy"] + g["hard"] if n not in hard]
        others = hard + self.random.sample(rest, min(NEAR + CHANCE - len(hard), len(rest)))
        goal = self.random.choice(WINDOWS[stage])
        long = stage == 2 and self.random.random() < 0.25
        pairs = []
        for number in [g["answer"], *others]:
            size = min(LONGEST, int(goal * self.random.uniform(0.8, 1.2)))
            tokens = self.window(query, self.tokens(number), size)
            pairs.append((query, self.padded(tokens, size) if long else tokens))
        return pairs

    def batch(self, stage, count=GROUPS):
        groups = [self.group(stage) for _ in range(count)]
        targets = np.concatenate([[1] + [0] * (len(g) - 1) for g in groups])
        return groups, targets


def ahead(make, depth=4):
    """What `make` gives, made in a thread of its own."""
    ready = queue.Queue(depth)
    def work():
        while True:
            ready.put(make())
    threading.Thread(target=work, daemon=True).start()
    return ready.get


class Trainer:
    def __init__(self, options):
        self.work, self.out = options.work, options.out
        self.config = configuration(*(int(n) for n in options.shape.split("x")))
        self.data = Data(options.work, options.kinds and options.kinds.split(","), options.seed)
        pieces = [self.data.pieces.id_to_piece(i) for i in range(self.data.pieces.get_piece_size())]
        meaning, idf = meanings(options.work, f"{options.work}/meaning.npz")
        self.config["vocab_size"] = len(pieces)
        weights = build(pieces, meaning, idf, self.config) if options.start is None else read_file(f"{options.start}/model.safetensors")
        self.model = Kernel(self.config, weights, options.threads)
        self.done = {1: 0.0, 2: 0.0}  # seconds trained
        print({k: len(v) for k, v in self.data.kinds.items()}, flush=True)

    def save(self):
        m = self.model
        np.savez(f"{self.out}/state.part.npz", weights=m.weights, mean=m.mean, square=m.square, average=m.average, steps=m.steps,
                 done=[self.done[1], self.done[2]])
        os.replace(f"{self.out}/state.part.npz", f"{self.out}/state.npz")

    def resume(self):
        path = f"{self.out}/state.npz"
        if not os.path.exists(path):
            return
        kept, m = np.load(path), self.model
        m.weights, m.mean, m.square, m.average, m.steps = *(kept[k].copy() for k in ("weights", "mean", "square", "average")), int(kept["steps"])
        m.gradients = np.zeros((m.threads, m.weights.size), np.float32)
        self.done = dict(zip((1, 2), map(float, kept["done"])))
        self.data.random.seed(m.steps)
        print("resumed after", self.done, "seconds,", m.steps, "steps", flush=True)

    def stage(self, number, seconds):
        """Train for `seconds`: a warm-up of 4 %, then half a cosine down to 4 % of the rate."""
        get = ahead(lambda: (lambda made: (self.model.packed(made[0]), made[1]))(self.data.batch(number)))
        log, said, saved, before, pairs, began = [], time.time(), time.time(), time.time(), 0, time.time()
        while (share := self.done[number] / seconds) < 1:
            factor = min(share / 0.04 + 0.02, 0.04 + 0.48 * (1 + np.cos(np.pi * share)))
            packed, targets = get()
            rest, embeddings = (rate * factor for rate in RATES[number])
            losses, logits, norm = self.model.step(packed, targets, (embeddings, rest), KEEP[number])
            firsts = packed[0]
            right = np.mean([logits[a] >= logits[a:b].max() for a, b in zip(firsts, firsts[1:])])
            log.append((losses.mean(), right, norm))
            pairs += len(logits)
            now = time.time()
            self.done[number] += min(now - before, 5)  # a pause of the machine is no training
            before = now
            if now - said > 60:
                said = now
                loss, right, norm = np.mean(log[-400:], axis=0)
                print(f"stage {number} {share:.0%} step {self.model.steps} loss {loss:.3f} right {right:.3f} norm {norm:.2f} "
                      f"{pairs / (now - began):.0f} pairs/s", flush=True)
            if now - saved > 240:
                saved = now
                self.save()
                export(self.model.tensors(self.model.average), self.config, f"{self.out}/now")
        self.save()
        export(self.model.tensors(self.model.average), self.config, f"{self.out}/stage{number}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("minutes1", type=float)
    parser.add_argument("minutes2", type=float)
    parser.add_argument("--shape", default="3x192x384")
    parser.add_argument("--out")
    parser.add_argument("--kinds")
    parser.add_argument("--start", help="a checkpoint's folder instead of the wired start")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--threads", type=int, default=CORES)
    options = parser.parse_args()
    publish, options.out = options.out is None, options.out or options.work
    os.makedirs(options.out, exist_ok=True)
    random.seed(options.seed)
    torch.set_num_threads(1)
    trainer = Trainer(options)
    trainer.resume()
    for number, minutes in ((1, options.minutes1), (2, options.minutes2)):
        if minutes:
            trainer.stage(number, 60 * minutes)
    if publish:
        export(trainer.model.tensors(trainer.model.average), trainer.config, MODEL)


if __name__ == "__main__":
    main()
