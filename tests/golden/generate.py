#!/usr/bin/env python3
"""Writes the float64 results that tests/library/golden.rs holds the CPU reference against.

    pip install torch==2.15.0 numpy==2.4.6 safetensors==0.8.0
    python tests/golden/generate.py

`formulas.safetensors` holds activations and losses with their derivatives at a row of points, and
encodings of each axis at coordinates. Parameters are float32 values.

One file an encoding. Each holds the inputs (pixels, frequencies, initial weights, float32 values
widened), the network's output, loss and gradients at the initial weights, and for each optimiser
the losses of ten full-batch steps and the weights after them.
"""
import math
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file

WIDTH, HEIGHT, HIDDEN, STEPS = 7, 5, 11, 10
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.3),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, weight_decay=0.02, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=1e-2),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2, betas=(0.85, 0.99), weight_decay=0.1),
    "lion": lambda p: Lion(p, {"lr": 3e-3, "beta1": 0.9, "beta2": 0.99, "decay": 0.1}),
    "adabelief": lambda p: AdaBelief(p, {"lr": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-16}),
    "muon": lambda p: Muon(p, [p[-4]]),
    "muon-but-last": lambda p: Muon(p, [p[-6], p[-4]]),
    # Clipped, penalised, with a rate and a penalty of its own for the grid, and averaged.
    "refined": lambda p: torch.optim.Adam(
        [
            {"params": p[: len(p) % 2], "lr": 3e-2, "weight_decay": 0.02},
            {"params": p[len(p) % 2 :], "lr": 1e-2, "weight_decay": 0.05},
        ]
    ),
}
CLIP_NORM, EMA = 0.05, 0.8


class Muon:
    """torch.optim.Muon for `matrices`, without its rounding to bfloat16, and AdamW for all other parameters."""

    def __init__(self, parameters, matrices):
        rest = [w for w in parameters if all(w is not m for m in matrices)]
        self.parts = [
            torch.optim.Muon(matrices, lr=5e-2, momentum=0.9, weight_decay=0.1),
            torch.optim.AdamW(rest, lr=1e-2, weight_decay=0.1),
        ]

    def zero_grad(self):
        for part in self.parts:
            part.zero_grad()

    def step(self):
        rounded, torch.bfloat16 = torch.bfloat16, torch.float64
        for part in self.parts:
            part.step()
        torch.bfloat16 = rounded


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["beta1"], group["beta2"]
            for w in group["params"]:
                m = self.state[w].setdefault("m", torch.zeros_like(w))
                update = (beta1 * m + (1 - beta1) * w.grad).sign()
                w -= group["lr"] * (update + group["decay"] * w)
                m.mul_(beta2).add_((1 - beta2) * w.grad)


class AdaBelief(torch.optim.Optimizer):
    """Zhuang et al. 2020, algorithm 2."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2, epsilon = group["beta1"], group["beta2"], group["epsilon"]
            for w in group["params"]:
                state = self.state[w]
                if not state:
                    state.update(m=torch.zeros_like(w), s=torch.zeros_like(w), t=0)
                state["t"] += 1
                m, s, t = state["m"], state["s"], state["t"]
                m.mul_(beta1).add_((1 - beta1) * w.grad)
                s.mul_(beta2).add_((1 - beta2) * (w.grad - m) ** 2 + epsilon)
                w -= group["lr"] * (m / (1 - beta1**t)) / ((s / (1 - beta2**t)).sqrt() + epsilon)


generator = np.random.default_rng(2020)
pixels = generator.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
step = np.float32(1 / max(WIDTH, HEIGHT))
origin = np.float32(0.5 / max(WIDTH, HEIGHT))
ys, xs = np.meshgrid(np.arange(HEIGHT, dtype=np.float32), np.arange(WIDTH, dtype=np.float32), indexing="ij")
coords = torch.tensor(np.stack([xs * step + origin, ys * step + origin], -1).reshape(-1, 2), dtype=torch.float64)
target = torch.tensor(pixels.reshape(-1, 3).astype(np.float32) / np.float32(255), dtype=torch.float64)

positional = np.zeros((6, 2), np.float32)
for j, t in enumerate(np.linspace(0, 2.5, 3)):
    positional[2 * j, 0] = positional[2 * j + 1, 1] = 2**t - 1
ENCODINGS = {
    "none": None,
    "basic": np.eye(2, dtype=np.float32),
    "positional": positional,
    "gaussian": (2 * generator.standard_normal((5, 2))).astype(np.float32),
    "grid": None,
    "trained": None,
    "smoothstep": None,
    "side-by-side": None,
}

# Levels of the hash grid: cells across the longer side, entries. The first is dense.
LEVELS = [(3, 25), (5, 32), (8, 32)]
GRID_FEATURES = 2
# Frequencies that are trained.
N_TRAINED = 4


def grid(table, smooth=False):
    """Mueller et al. 2022, section 3 and appendix A, with positions half a cell further on."""
    features, first = [], 0
    for n, entries in LEVELS:
        p = coords * n + 0.5
        cell = p.floor().long()
        t = p - cell
        t = 3 * t**2 - 2 * t**3 if smooth else t
        level = 0
        for dx in (0, 1):
            for dy in (0, 1):
                x, y = cell[:, 0] + dx, cell[:, 1] + dy
                dense = y * (n + 2) + x
                entry = dense if entries == (n + 2) ** 2 else (x ^ (y * 2654435761)) % entries
                weight = (t[:, 0] if dx else 1 - t[:, 0]) * (t[:, 1] if dy else 1 - t[:, 1])
                level = level + weight[:, None] * table[first + entry]
        features.append(level)
        first += entries
    return torch.cat(features, -1)


def fourier(frequencies):
    phase = 2 * math.pi * coords @ frequencies.T
    return torch.cat([phase.sin(), phase.cos()], -1)


def octaves(n):
    """tiny-cuda-nn's Frequency, its sines first: frequencies 2^(k-1), each along x and along y."""
    phase = torch.stack([c * 2.0**k * math.pi for k in range(n) for c in (coords[:, 0], coords[:, 1])], -1)
    return torch.cat([phase.sin(), phase.cos()], -1)


# The first tensor of these is the encoding's own: frequencies (m, 2), or a grid's entries.
TRAINED = {
    "grid": grid,
    "trained": fourier,
    "smoothstep": lambda table: grid(table, smooth=True),
    "side-by-side": lambda table: torch.cat([coords, grid(table), octaves(3)], -1),
}


def network(name, features, weights):
    if name in TRAINED:
        features, weights = TRAINED[name](weights[0]), weights[1:]
    x = features
    for i in range(0, len(weights), 2):
        x = torch.nn.functional.linear(x, weights[i], weights[i + 1])
        x = torch.relu(x) if i + 2 < len(weights) else torch.sigmoid(x)
    return x


for name, frequencies in ENCODINGS.items():
    has_table = name in TRAINED
    features = coords if frequencies is None else fourier(torch.tensor(frequencies, dtype=torch.float64))
    initial = []
    n_features = features.shape[1]
    if has_table:
        trained = name == "trained"
        shape = (N_TRAINED, 2) if trained else (sum(entries for _, entries in LEVELS), GRID_FEATURES)
        scale = 2 if trained else 0.5
        initial.append((scale * generator.standard_normal(shape)).astype(np.float32).astype(np.float64))
        n_features = TRAINED[name](torch.tensor(initial[0])).shape[1]
    widths = [n_features, HIDDEN, HIDDEN, 3]
    for i, o in zip(widths, widths[1:]):
        initial.append((generator.standard_normal((o, i)) / math.sqrt(i)).astype(np.float32).astype(np.float64))
        initial.append((0.1 * generator.standard_normal(o)).astype(np.float32).astype(np.float64))
    tensors = {"pixels": pixels}
    if frequencies is not None:
        tensors["encoding.frequencies"] = frequencies

    def fresh():
        return [torch.tensor(w, requires_grad=True) for w in initial]

    def store(prefix, values):
        if has_table:
            tensors[f"{prefix}.encoding"], values = values[0], values[1:]
        for i, value in enumerate(values):
            tensors[f"{prefix}.{i // 2}.{'bias' if i % 2 else 'weight'}"] = value

    weights = fresh()
    output = network(name, features, weights)
    loss = torch.nn.functional.mse_loss(output, target)
    loss.backward()
    store("initial", initial)
    store("gradient", [w.grad.numpy() for w in weights])
    tensors["output"] = output.detach().numpy()
    tensors["loss"] = loss.detach().numpy().reshape(1)
    for optimizer, make in OPTIMIZERS.items():
        weights = fresh()
        opt = make(weights)
        losses, later = [], []
        for _ in range(STEPS):
            opt.zero_grad()
            loss = torch.nn.functional.mse_loss(network(name, features, weights), target)
            loss.backward()
            if optimizer == "refined":
                torch.nn.utils.clip_grad_norm_(weights, CLIP_NORM)
            opt.step()
            losses.append(loss.item())
            later.append([w.detach().clone() for w in weights])
        tensors[f"{optimizer}.losses"] = np.array(losses)
        store(f"{optimizer}.final", [w.detach().numpy() for w in weights])
        if optimizer == "refined":
            shares = [EMA ** (STEPS - 1 - i) for i in range(STEPS)]
            mean = lambda values: sum(s * v for s, v in zip(shares, values)) / sum(shares)
            store("refined.average", [mean(values).numpy() for values in zip(*later)])
    path = pathlib.Path(__file__).with_name(f"{name}.safetensors")
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path)
    print(path.name, path.stat().st_size, "bytes")

F = torch.nn.functional
ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": torch.relu,
    "leaky-relu": lambda z: F.leaky_relu(z, float(np.float32(0.01))),
    "gelu": lambda z: F.gelu(z, approximate="tanh"),
    "silu": F.silu,
    "softplus": F.softplus,
    "sine": lambda z: torch.sin(30 * z),
    "finer": lambda z: torch.sin(30 * (z.abs() + 1) * z),
    "gaussian": lambda z: torch.exp(-(z**2) / (2 * 0.5**2)),
    "gabor": lambda z: torch.cos(2 * z) * torch.exp(-(z**2)),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
LOSSES = {
    "mse": lambda p, t: F.mse_loss(p, t, reduction="none"),
    "half-mse": lambda p, t: 0.5 * F.mse_loss(p, t, reduction="none"),
    "l1": lambda p, t: F.l1_loss(p, t, reduction="none"),
    "huber": lambda p, t: F.huber_loss(p, t, reduction="none", delta=float(np.float32(0.1))),
    "log-cosh": lambda p, t: torch.log(torch.cosh(p - t)),
    "relative-l2": lambda p, t: (p - t) ** 2 / (p.detach() ** 2 + 0.01),
    "smape": lambda p, t: (p - t).abs() / (0.5 * (p.detach().abs() + t.abs()) + 0.01),
}


def with_derivative(function, x):
    x = x.clone().requires_grad_()
    value = function(x)
    value.sum().backward()
    return value.detach().numpy(), x.grad.numpy()


z = torch.linspace(-12, 12, 97, dtype=torch.float64)
p = torch.linspace(-0.5, 2, 61, dtype=torch.float64)
t = torch.tensor(generator.uniform(0, 1, 61))
tensors = {"z": z.numpy(), "p": p.numpy(), "t": t.numpy()}
for name, function in ACTIVATIONS.items():
    tensors[f"{name}.value"], tensors[f"{name}.derivative"] = with_derivative(function, z)
for name, function in LOSSES.items():
    value, derivative = with_derivative(lambda p: function(p, t), p)
    tensors[f"loss.{name}.value"], tensors[f"loss.{name}.derivative"] = value, derivative

def quartic_cdf(u):
    u = u.clamp(-1, 1)
    return 15 / 16 * (u - 2 / 3 * u**3 + 1 / 5 * u**5) + 1 / 2


def one_blob(c, n):
    """tiny-cuda-nn's OneBlob: a kernel of radius 1 / n, integrated over n bins, with its images."""
    edges = torch.arange(n + 1, dtype=torch.float64) / n
    cdf = sum(quartic_cdf((edges - c[:, None] + image) * n) for image in (-1, 0, 1))
    return cdf[:, 1:] - cdf[:, :-1]


def triangle_wave(c, n):
    """tiny-cuda-nn's TriangleWave."""
    x = c[:, None] * 2.0 ** (torch.arange(n, dtype=torch.float64) - 1)
    return (x - x.floor() - 0.5).abs() * 4 - 1


c = torch.linspace(0, 1, 53, dtype=torch.float64)
tensors["c"] = c.numpy()
tensors["one-blob.16"] = one_blob(c, 16).numpy()
tensors["one-blob.2"] = one_blob(c, 2).numpy()
tensors["triangle-wave.12"] = triangle_wave(c, 12).numpy()
path = pathlib.Path(__file__).with_name("formulas.safetensors")
save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path)
print(path.name, path.stat().st_size, "bytes")
