"""What happens in the first steps to a network with Gaussian features: `python benches/collapse.py PICTURE [OPTION..]`.

Trains for 0 to 32 full-batch steps with `afterimage` (or what AFTERIMAGE names) and the options, and says of each network:
the error, the share of outputs whose sigmoid has no gradient left in f32, the median pre-activation of the outputs, the share of units in
each hidden layer that fire for no pixel, and the norms of the gradients of the last and the first layer. Needs NumPy,
Pillow and safetensors.
"""

import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

STEPS = [0, 1, 2, 4, 8, 16, 32]
LAYERS = 4


def describe(weights, truth, sigmoid):
    height, width, _ = truth.shape
    y, x = np.mgrid[0:height, 0:width]
    positions = np.stack([x + 0.5, y + 0.5], -1).reshape(-1, 2).astype(np.float32) / max(width, height)
    truth = truth.reshape(-1, 3)
    turns = positions @ weights["encoding.frequencies"].T
    inputs = [np.concatenate([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], -1).astype(np.float32)]
    z = []
    for i in range(LAYERS):
        z.append(inputs[-1] @ weights[f"layers.{i}.weight"].T + weights[f"layers.{i}.bias"])
        inputs.append(np.maximum(z[-1], 0))
    p = 1 / (1 + np.exp(-z[-1])) if sigmoid else z[-1]
    slope = p * (1 - p) if sigmoid else np.ones_like(p)
    dl_dz = 2 * (p - truth) / p.size * slope
    norms = []
    for i in reversed(range(LAYERS)):
        norms.append(np.linalg.norm(dl_dz.T @ inputs[i]))
        if i:
            dl_dz = dl_dz @ weights[f"layers.{i}.weight"] * (z[i - 1] > 0)
    dead = " / ".join(f"{100 * (a.max(0) <= 0).mean():.0f}" for a in inputs[1:LAYERS])
    mse = np.mean((np.clip(p, 0, 1) - truth) ** 2)
    return f"{mse:.4f} | {100 * (slope == 0).mean():.1f} % | {np.median(z[-1]):.1f} | {dead} % | {norms[0]:.1e} | {norms[-1]:.1e}"


def main():
    picture, options = sys.argv[1], sys.argv[2:]
    sigmoid = "identity" not in options
    truth = np.asarray(Image.open(picture).convert("RGB"), dtype=np.float32) / np.float32(255)
    print("| steps | MSE | saturated | median output z | units dead, by layer | last gradient | first gradient |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for steps in STEPS:
        with tempfile.TemporaryDirectory() as folder:
            command = [os.environ.get("AFTERIMAGE", "afterimage"), "train", picture, "--out", folder, "--force", "-q"]
            command += ["--encoding", "gaussian", "--batch", "full", "--lr", "5e-3", "--schedule", "constant"]
            command += ["--output-activation", "sigmoid"] if sigmoid else []
            subprocess.run(command + ["--epochs", str(steps)] + options, check=True)
            weights = load_file(os.path.join(folder, "model.safetensors"))
        print(f"| {steps} | {describe(weights, truth, sigmoid)} |", flush=True)


main()
