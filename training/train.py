"""train.py WORKDIR MINUTES1 MINUTES2: train models/mini from the hand-wired start.

Listwise cross-entropy over one answer and 7 others. Stage 1 sees passages cut to 80 tokens; in stage 2 every fourth step sees
passages padded out with unrelated text to 48..400 tokens, so that the answer stands anywhere in a long passage. MINUTES1 0
starts stage 2 from the weights that stage 1 left in WORKDIR. The rate is low, for the embeddings
a tenth of it (a high one wipes the wiring out); the exported weights are an exponential moving average.
"""
import json
import os
import random
import sys
import time

import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F

from export import export
from meaning import meanings
from reference import forward
from safetensors_io import read_file
from tokenizer import SPM
from wire import CONFIG, build

RATE, EMBEDDING_RATE, BATCH, AVERAGE, LONG = 3e-4, 4e-5, 8, 0.995, 0.25
CLS, SEP = 2, 3
QUERY, LONGEST = 40, 512 - 40 - 3
WORDS = "bert.embeddings.word_embeddings.weight"


class Groups:
    """Training groups as token ids; `batches` never repeats a group before all were seen."""

    def __init__(self, work):
        pieces = spm.SentencePieceProcessor(model_file=SPM)
        self.pieces = [pieces.id_to_piece(i) for i in range(pieces.get_piece_size())]
        with open(f"{work}/train.jsonl", encoding="utf-8") as f:
            self.groups = [json.loads(line) for line in f]
        self.tokens = lambda text: np.array(pieces.encode(text[:2000]), np.int64)
        self.fillers = [self.tokens(g["negatives"][3]) for g in self.groups[:3000]]
        self.order = []

    def draw(self, count):
        while len(self.order) < count:
            fresh = list(range(len(self.groups)))
            random.shuffle(fresh)
            self.order += fresh
        taken, self.order = self.order[:count], self.order[count:]
        rows = [self.groups[i] for i in taken]
        return [(self.tokens(r["query"]), [self.tokens(t) for t in [r["answer"], *r["negatives"]]]) for r in rows]

    def window(self, tokens, longest):
        """At most `longest` tokens, usually the first."""
        start = random.randrange(len(tokens) - longest) if len(tokens) > longest and random.random() < 0.2 else 0
        return tokens[start:start + longest]

    def padded(self, tokens, goal):
        """The passage somewhere in unrelated text, `goal` tokens long."""
        tokens = self.window(tokens, goal)
        missing = goal - len(tokens)
        if missing < 8:
            return tokens
        filler = np.concatenate([random.choice(self.fillers) for _ in range(12)])[:missing]
        cut = random.randint(0, len(filler))
        return np.concatenate([filler[:cut], tokens, filler[cut:]])

    def batch(self, count, long):
        """Padded ids, types and mask of `count` groups, 8 rows each, the answer first."""
        pairs = []
        for query, passages in self.draw(count):
            goal = random.choice((48, 80, 120, 180, 260, 400))
            for passage in passages:
                p = self.padded(passage, min(LONGEST, int(goal * random.uniform(0.8, 1.2)))) if long else self.window(passage, 80)
                pairs.append((query[:QUERY], p))
        width = max(len(q) + len(p) for q, p in pairs) + 3
        ids, types, mask = (torch.zeros(len(pairs), width, dtype=torch.long) for _ in range(3))
        for row, (q, p) in enumerate(pairs):
            tokens = np.concatenate([[CLS], q, [SEP], p, [SEP]])
            ids[row, :len(tokens)] = torch.from_numpy(tokens)
            types[row, len(q) + 2:len(tokens)] = 1
            mask[row, :len(tokens)] = 1
        return ids, types, mask


class Trainer:
    def __init__(self, work):
        random.seed(3)
        torch.manual_seed(3)
        self.work, self.data = work, Groups(work)
        meaning, idf = meanings(work, f"{work}/meaning.npz")
        self.weights = {k: v.requires_grad_() for k, v in build(self.data.pieces, meaning, idf).items()}
        self.average = {k: v.detach().clone() for k, v in self.weights.items()}
        rest = [v for k, v in self.weights.items() if k != WORDS]
        self.optimizer = torch.optim.AdamW([{"params": [self.weights[WORDS]], "lr": EMBEDDING_RATE, "top": EMBEDDING_RATE},
                                            {"params": rest, "lr": RATE, "top": RATE}], weight_decay=0.0, betas=(0.9, 0.98))
        self.parameters = list(self.weights.values())
        self.steps = 0

    def resume(self, folder):
        """Go on from exported weights, with groups in another order than before."""
        random.seed()
        for name, value in read_file(f"{folder}/model.safetensors").items():
            with torch.no_grad():
                self.weights[name].copy_(value)
            self.average[name].copy_(value)

    def step(self, long, count):
        ids, types, mask = self.data.batch(count, long)
        logits = forward(CONFIG, self.weights, ids, types, mask).view(-1, 8)
        loss = F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.steps += 1
        keep = min(AVERAGE, self.steps / (self.steps + 10))
        with torch.no_grad():
            for name, value in self.average.items():
                value.lerp_(self.weights[name].detach(), 1 - keep)
        return loss.item(), (logits.argmax(1) == 0).float().mean().item()

    def stage(self, name, seconds, long):
        """Train for `seconds`, a share `long` of the steps on long passages, with a warm-up of 5 % and a straight fall of
        the rate to a twentieth."""
        start, log, said = time.time(), [], 0
        while (done := (time.time() - start) / seconds) < 1:
            for part in self.optimizer.param_groups:
                part["lr"] = part["top"] * min(done / 0.05 + 0.02, 1, 1.05 - done)
            padded = random.random() < long
            log.append(self.step(padded, BATCH // 2 if padded else BATCH))
            if time.time() - said > 60:
                said = time.time()
                loss, right = np.mean(log[-200:], axis=0)
                print(f"{name} {done:.0%} step {self.steps} loss {loss:.3f} right {right:.3f}", flush=True)
                torch.save(self.average, f"{self.work}/average.pt")


def main(work, minutes_short, minutes_mixed):
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    trainer = Trainer(work)
    print(len(trainer.data.groups), "groups", flush=True)
    if minutes_short > 0:
        trainer.stage("short", 60 * minutes_short, 0)
        export(trainer.average, f"{work}/stage1")
    else:
        trainer.resume(f"{work}/stage1")
    trainer.stage("mixed", 60 * minutes_mixed, LONG)
    export(trainer.average)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
