#!/usr/bin/env python3
"""PyTorch on the jobs of `afterimage bench`: milliseconds a step, samples a second, GFLOP/s.

    pip install torch numpy
    python benches/torch_baseline.py                       # all jobs, all threads
    python benches/torch_baseline.py --jobs 256x256 --json
    python benches/torch_baseline.py --device cuda --tf32 --compile

The same networks, batches and update rule: Gaussian Fourier features into ReLU layers, a sigmoid, the mean
squared error, Adam. Samples are drawn from a permutation of the pixels on the device. Steps are timed in groups of at least
0.1 s, as there. Hash grids are left out: PyTorch has none. On CUDA, Adam is PyTorch's fused one, and --compile captures graphs.
"""
import argparse
import json
import math
import statistics
import time

import torch

# (name, side of the picture, width, batch): jobs() in src/bench/jobs.rs.
JOBS = [(f"seed {side}x{side} full batch", side, 256, side * side) for side in (64, 128, 256, 512)]
JOBS += [(f"seed 512x512 batch {batch}", 512, 256, batch) for batch in (1 << 14, 1 << 16)]
JOBS += [(f"width-{width} 512x512 batch 16384", 512, width, 1 << 14) for width in (128, 512)]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--jobs", default="", help="only jobs whose names have this in them")
parser.add_argument("--seconds", type=float, default=3.0, help="spent on each job")
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--threads", type=int, help="of the CPU")
parser.add_argument("--tf32", action="store_true", help="matrix products in TF32 on CUDA")
parser.add_argument("--amp", action="store_true", help="autocast to bfloat16")
parser.add_argument("--compile", action="store_true", help="torch.compile")
parser.add_argument("--json", action="store_true")
args = parser.parse_args()
if args.threads:
    torch.set_num_threads(args.threads)
torch.backends.cuda.matmul.allow_tf32 = args.tf32


def wait():
    if args.device == "cuda":
        torch.cuda.synchronize()


def measure(side, width, batch):
    torch.manual_seed(0)
    device, n_features, n_layers = args.device, 512, 4
    picture = torch.rand(side * side, 3, device=device)
    pixels = torch.arange(side * side, device=device)
    coords = (torch.stack([pixels % side, pixels // side], -1).float() + 0.5) / side
    frequencies = 10 * torch.randn(n_features // 2, 2, device=device)
    widths = [n_features] + [width] * (n_layers - 1) + [3]
    layers = []
    for i, o in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(i, o), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1], torch.nn.Sigmoid()).to(device)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, fused=device == "cuda")

    def loss_of(coords, target):
        turns = 2 * math.pi * coords @ frequencies.T
        return torch.nn.functional.mse_loss(net(torch.cat([turns.sin(), turns.cos()], -1)), target)

    if args.compile:
        loss_of = torch.compile(loss_of, mode="reduce-overhead" if device == "cuda" else None)
    order, at = torch.randperm(side * side, device=device), 0

    def step():
        nonlocal order, at
        chosen = order[at : at + batch]
        at += batch
        if at >= side * side:
            order, at = torch.randperm(side * side, device=device), 0
        adam.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=args.amp):
            loss = loss_of(coords[chosen], picture[chosen])
        loss.backward()
        adam.step()

    def group(n):
        start = time.perf_counter()
        for _ in range(n):
            step()
        wait()
        return time.perf_counter() - start

    group(3)
    n = 1
    while (took := group(n)) < 0.1:
        n = max(2 * n, int(0.12 * n / took))
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < args.seconds:
        times.append(1e3 * group(n) / n)
    weights = [i * o for i, o in zip(widths, widths[1:])]
    flop = 2 * batch * (3 * sum(weights) - weights[0])
    ms = statistics.median(times)
    return {"ms": ms, "ms_fastest": min(times), "samples_per_second": 1e3 * batch / ms, "gflop_per_second": 1e-6 * flop / ms}


report = {"torch": torch.__version__, "device": args.device, "threads": torch.get_num_threads(), "jobs": []}
for name, side, width, batch in JOBS:
    if args.jobs not in name:
        continue
    figures = measure(side, width, batch)
    report["jobs"].append({"job": name, **figures})
    if not args.json:
        print(
            f"{name:<30} {figures['ms']:>9.3f} ms {figures['samples_per_second']:>11.3e} samples/s "
            f"{figures['gflop_per_second']:>8.1f} GFLOP/s",
            flush=True,
        )
if args.json:
    print(json.dumps(report, indent=2))
