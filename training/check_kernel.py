"""check_kernel.py: kernel.cpp's logits, losses and gradients against PyTorch's autograd over reference.py, on a small random network."""
import openblas  # before NumPy

import numpy as np
import torch
import torch.nn.functional as F

from kernel import CLS, SEP, Kernel, layout, parts
from reference import forward
from wire import configuration


def random_weights(wanted, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) * (0.3 if len(shape) > 1 else 0.1) + (1 if name.endswith("LayerNorm.weight") else 0)
            for name, shape in wanted.items()}


def main():
    config = {**configuration(layers=3, hidden=128, ffn=96), "vocab_size": 300, "max_position_embeddings": 64}
    weights = random_weights(shapes(config))
    kernel = Kernel(config, weights)
    draw = np.random.default_rng(1)
    groups = [[(draw.integers(4, 300, draw.integers(1, 12)), draw.integers(4, 300, draw.integers(1, 40))) for _ in range(size)] for size in (8, 5, 1)]
    targets = [draw.dirichlet(np.ones(len(g))).astype(np.float32) for g in groups]
    tracked = {n: t.clone().requires_grad_() for n, t in weights.items()}
    logits, loss = [], 0
    for group, target in zip(groups, targets):
        ids = [torch.tensor(np.concatenate([[CLS], q, [SEP], p, [SEP]])) for q, p in group]
        types = [torch.tensor([0] * (len(q) + 2) + [1] * (len(p) + 1)) for q, p in group]
        out = torch.stack([forward(config, tracked, i[None], t[None])[0, 0] for i, t in zip(ids, types)])
        logits.append(out)
        loss = loss - (torch.from_numpy(target) * F.log_softmax(out, 0)).sum() / len(groups)
    loss.backward()
    losses, ours = kernel.differentiate(kernel.packed(groups), np.concatenate(targets))
    gradients = kernel.tensors(kernel.gradients.sum(0))
    whole = max(t.grad.abs().max().item() for t in tracked.values())
    report = {
        "logits": np.abs(torch.cat(logits).detach().numpy() - ours).max(),
        "logits without gradients": np.abs(kernel.score(groups) - ours).max(),
        "loss": abs(losses.mean() - loss.item()),
        # A tensor's gradient against its own largest entry; what is 0 in theory (a key's bias) against the largest of all.
        "gradients": max((gradients[n] - t.grad).abs().max().item() / max(t.grad.abs().max().item(), 1e-3 * whole) for n, t in tracked.items()),
    }
    print({name: float(f"{value:.2g}") for name, value in report.items()})
    assert max(report.values()) < 1e-4, "kernel.cpp and PyTorch differ"


def shapes(config):
    """{name: shape} of a checkpoint: query, key and value apart."""
    out = {}
    for name, shape in layout(config):
        for part in parts(name):
            out[part] = (shape[0] // len(parts(name)), *shape[1:])
    return out


if __name__ == "__main__":
    main()
