"""A two-layer network in float64 PyTorch: linear, relu, linear, cross-entropy with label smoothing and class weights,
AdamW, clipping, warm-up and cosine; 20 steps over batches of 9, 9 and 5 of 23 samples.

x [23,7], labels [23], class_weight [5], order [7,23]    the data; each epoch's order, cut into batches of BATCH
factor [20]                                              on RATE, by torch.optim.lr_scheduler; TOTAL steps in all
start.NAME, half.NAME, end.NAME                          parameters before, after 10 and after 20 steps
loss [20], norm [20]                                     before each step; the norm before clipping
"""
import os

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

torch.set_default_dtype(torch.float64)

SAMPLES, BATCH, IN, HIDDEN, CLASSES = 23, 9, 7, 33, 5
STEPS, WARMUP, TOTAL = 20, 4, 24
RATE, DECAY, CLIP, SMOOTHING = 0.02, 0.1, 1.0, 0.1


def create(seed):
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(IN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.tensor(rng.standard_normal(tuple(p.shape)) * (1.5 / np.sqrt(p.shape[-1]) if p.ndim > 1 else 0.3)))
    x, labels = rng.standard_normal((SAMPLES, IN)), rng.integers(0, CLASSES, SAMPLES).astype(np.int32)
    epochs = -(-STEPS // -(-SAMPLES // BATCH))
    order = np.array([rng.permutation(SAMPLES) for _ in range(epochs)], dtype=np.int32)
    return model, {"x": x, "labels": labels, "class_weight": rng.uniform(0.3, 2, CLASSES), "order": order}


def train(model, data):
    """Losses, norms, factors, parameters after half of the steps; and the least distance of a relu's input from 0."""
    weight = torch.tensor(data["class_weight"])
    groups = [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": DECAY},
              {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    rise = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / WARMUP, 1, WARMUP - 1)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, TOTAL - WARMUP)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], [WARMUP])
    out, half, margin = [], None, np.inf
    batches = [rows[i:i + BATCH] for rows in data["order"] for i in range(0, SAMPLES, BATCH)]
    for rows in batches[:STEPS]:
        x, y = torch.tensor(data["x"][rows]), torch.tensor(data["labels"][rows]).long()
        margin = min(margin, model[0](x).abs().min().item())
        loss = nn.functional.cross_entropy(model(x), y, weight, label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        out.append((loss.item(), norm.item(), optimizer.param_groups[0]["lr"] / RATE))
        optimizer.step()
        schedule.step()
        if len(out) == STEPS // 2:
            half = parameters(model)
    return np.array(out).T, half, margin


def parameters(model):
    names = {"0": "hidden", "2": "output"}
    return {f"{names[k[0]]}{k[1:]}": v.detach().numpy().copy() for k, v in model.named_parameters()}


for seed in range(100):
    model, data = create(seed)
    start = parameters(model)
    (loss, norm, factor), half, margin = train(model, data)
    if margin > 1e-4 and 5 <= (norm > CLIP).sum() <= 15:
        break
else:
    raise SystemExit("no seed keeps relu away from its kink")
tensors = data | {"loss": loss, "norm": norm, "factor": factor}
for when, values in {"start": start, "half": half, "end": parameters(model)}.items():
    tensors |= {f"{when}.{name}": value for name, value in values.items()}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.safetensors")
order = sorted(tensors, key=lambda n: (-tensors[n].itemsize, n))
save_file({n: np.ascontiguousarray(tensors[n]) for n in order}, path)
os.chmod(path, 0o644)
print(f"{path}: seed {seed}, margin {margin:.2g}, {(norm > CLIP).sum()} steps clipped, loss {loss[0]:.3f} to {loss[-1]:.3f}")
