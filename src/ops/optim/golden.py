"""The ops of a step's end against PyTorch: golden.safetensors holds tensor_sums, finite and clip, the latter as
torch.nn.utils.clip_grad_norm_ sees it. trace.safetensors holds 20 steps of optimisers on given gradients:

gradient [20,n]        of each step, before clipping; the tensors of SHAPES one after another, flat
rate [20]              learning rate of each step; every tensor has its own factor and weight decay as in TENSORS
norm [20]              what clip_grad_norm_ returned: some above CLIP, some below
start [n]              the parameters
VARIANT [20,n]         the parameters after each step, by torch.optim.AdamW and torch.optim.SGD

probe.safetensors holds a softmax regression with columns of very different size and its optimum, on which scikit-learn
1.9.1 (newton-cholesky) and torch.optim.LBFGS agree: x [60,6], labels [60], weight [4,6], bias [4] (of mean 0), loss [1]
= mean cross-entropy + PENALTY / 2 |weight|^2.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch
from golden_op import Golden
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

FOLDER = os.path.dirname(os.path.abspath(__file__))
STEPS, CLIP = 20, 1.0
TENSORS = [((3, 5), 1.0, 0.1), ((3,), 1.0, 0.0), ((2, 17), 10.0, 0.02), ((2,), 10.0, 0.0)]  # shape, rate factor, decay
VARIANTS = {
    "adamw": lambda groups: torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8),
    "adamw_fast": lambda groups: torch.optim.AdamW(groups, betas=(0.7, 0.9), eps=1e-2),
    "sgd": lambda groups: torch.optim.SGD(groups, momentum=0.0),
    "momentum": lambda groups: torch.optim.SGD(groups, momentum=0.9),
    "nesterov": lambda groups: torch.optim.SGD(groups, momentum=0.8, nesterov=True),
}


SAMPLES, FEATURES, CLASSES, PENALTY = 60, 6, 4, 1e-3


def save(tensors, name):
    path = os.path.join(FOLDER, name)
    order = sorted(tensors, key=lambda n: (-tensors[n].itemsize, n))
    save_file({n: np.ascontiguousarray(tensors[n]) for n in order}, path)
    os.chmod(path, 0o644)
    print(f"{path}: {os.path.getsize(path)} bytes")


def split(flat):
    """[n] -> tensors of TENSORS."""
    out, at = [], 0
    for shape, _, _ in TENSORS:
        out.append(torch.tensor(flat[at:at + int(np.prod(shape))].reshape(shape)))
        at += int(np.prod(shape))
    return out


def trace(make, start, gradient, rate):
    parameters = [t.requires_grad_() for t in split(start)]
    optimizer = make([{"params": [p], "lr": 1.0, "weight_decay": decay} for p, (_, _, decay) in zip(parameters, TENSORS)])
    after, norms = [], []
    for step in range(STEPS):
        for p, g in zip(parameters, split(gradient[step])):
            p.grad = g
        for group, (_, factor, _) in zip(optimizer.param_groups, TENSORS):
            group["lr"] = rate[step] * factor
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, CLIP).item())
        optimizer.step()
        after.append(np.concatenate([p.detach().numpy().ravel() for p in parameters]))
    return np.array(after), np.array(norms)


def write_traces():
    rng = np.random.default_rng(5)
    n = sum(int(np.prod(shape)) for shape, _, _ in TENSORS)
    start = rng.standard_normal(n)
    drift, noise = rng.standard_normal(n), rng.standard_normal((STEPS, n))
    size = np.exp(rng.uniform(np.log(0.3), np.log(3), (STEPS, 1))) / np.sqrt(n)  # norms around CLIP
    tensors = {"start": start, "gradient": size * (drift + noise), "rate": 0.02 * rng.uniform(0.3, 1, STEPS)}
    for name, make in VARIANTS.items():
        tensors[name], tensors["norm"] = trace(make, start, tensors["gradient"], tensors["rate"])
    assert 5 <= (tensors["norm"] > CLIP).sum() <= 15
    save(tensors, "trace.safetensors")


def solve_by_torch(x, labels):
    w, b = torch.zeros(CLASSES, FEATURES, requires_grad=True), torch.zeros(CLASSES, requires_grad=True)
    solver = torch.optim.LBFGS([w, b], max_iter=20000, max_eval=40000, tolerance_grad=1e-12, tolerance_change=0, history_size=30,
                               line_search_fn="strong_wolfe")

    def loss():
        solver.zero_grad()
        z = torch.nn.functional.linear(torch.tensor(x), w, b)
        f = torch.nn.functional.cross_entropy(z, torch.tensor(labels).long()) + PENALTY / 2 * w.square().sum()
        f.backward()
        return f

    solver.step(loss)
    return w.detach().numpy(), b.detach().numpy(), loss().item()


def write_probe():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, CLASSES, SAMPLES).astype(np.int32)
    centres = rng.standard_normal((CLASSES, FEATURES))
    x = (centres[labels] + 1.2 * rng.standard_normal((SAMPLES, FEATURES))) * np.geomspace(0.1, 10, FEATURES) + 0.5
    best = LogisticRegression(C=1 / (PENALTY * SAMPLES), solver="newton-cholesky", tol=1e-13, max_iter=1000).fit(x, labels)
    w, b = best.coef_, best.intercept_
    p = np.exp(x @ w.T + b)
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(SAMPLES), labels]).mean() + PENALTY / 2 * (w**2).sum()
    torch_w, torch_b, torch_loss = solve_by_torch(x, labels)
    assert abs(loss - torch_loss) < 1e-12
    assert np.abs(w - torch_w).max() < 1e-6 * np.abs(w).max()
    assert np.abs(b - b.mean() - torch_b + torch_b.mean()).max() < 1e-6
    save({"x": x, "labels": labels, "weight": w, "bias": b - b.mean(), "loss": np.array([loss])}, "probe.safetensors")
    print(f"probe: loss {loss:.6f}, largest weight {np.abs(w).max():.2f}")


def clip(largest):
    """From sums of squares and a count to the factor on the gradient sums, the norm and the verdict."""

    def f(sums, count, loss, finite=None):
        parameters = [torch.nn.Parameter(torch.zeros(3)) for _ in sums]
        for p, s in zip(parameters, sums):
            p.grad = torch.sqrt(s / 3) * torch.tensor([1.0, -1.0, 1.0]) / count
        before = parameters[0].grad[0].clone()
        norm = torch.nn.utils.clip_grad_norm_(parameters, largest)
        return parameters[0].grad[0] / before / count, norm.reshape(1), torch.ones(1)

    return f


g = Golden(__file__)
rng = g.random("tensor_sums/two")
g.case("tensor_sums/two", lambda x: torch.stack([x[:5].square().sum(), x[8:9].square().sum()]), [rng.standard_normal(9)],
       gradient=False)
rng = g.random("finite/some")
g.case("finite/some", lambda x: torch.isfinite(x).all().reshape(1).double(), [rng.standard_normal(7)], gradient=False)
rng = g.random("clip")
g.case("clip/clips", clip(0.1), [rng.uniform(0.5, 1.5, 3), np.array([1.7]), np.array([0.4])], gradient=False)
g.case("clip/leaves", clip(100), [rng.uniform(0.5, 1.5, 3), np.array([1.7]), np.array([0.4]), np.array([1.0])], gradient=False)
g.save()
write_traces()
write_probe()
