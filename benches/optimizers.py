"""Update rules that afterimage does not have, tried in PyTorch on its job: docs/OPTIMIZERS.md has the results.

    pip install torch numpy pillow pytorch_optimizer schedulefree
    python benches/optimizers.py --size 128 --hidden 128 --features 256 --batch 2048 --passes 60

Every rule trains the same network from the same weights on the same samples: Gaussian Fourier features, three hidden
layers (ReLU, or sines with --sine), nothing after the last, mean squared error, cosine decay to 0 (schedule-free rules:
none). One line a trial: the rule and its learning rate, PSNR in dB, seconds, and the share of them in the rule's own
step.
"""

import argparse
import math
import time

import numpy as np
import torch
from PIL import Image
from pytorch_optimizer import SOAP
from schedulefree import AdamWScheduleFree


def picture(path, size):
    image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
    return torch.tensor(np.asarray(image), dtype=torch.float32).reshape(-1, 3) / 255


class Sine(torch.nn.Module):
    def forward(self, x):
        return torch.sin(30 * x)


def network(args, n_inputs):
    torch.manual_seed(0)
    widths = [n_inputs, args.hidden, args.hidden, args.hidden, 3]
    layers = []
    for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        linear = torch.nn.Linear(fan_in, fan_out)
        if args.sine:
            bound = 1 / fan_in if i == 0 else math.sqrt(6 / fan_in) / 30
            torch.nn.init.uniform_(linear.weight, -bound, bound)
            if i < 3:
                linear.weight.data *= args.gain
        else:
            torch.nn.init.kaiming_normal_(linear.weight)
            torch.nn.init.zeros_(linear.bias)
        layers += [linear, Sine() if args.sine else torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


class Muon:
    """Muon on all matrices but the last, Adam at `adam` on the rest."""

    def __init__(self, model, lr, adam):
        matrices = [p for p in model.parameters() if p.ndim == 2][:-1]
        others = [p for p in model.parameters() if all(p is not m for m in matrices)]
        self.param_groups = []
        self.rules = [
            torch.optim.Muon(matrices, lr=lr, weight_decay=0, adjust_lr_fn="original"),
            torch.optim.Adam(others, lr=adam),
        ]

    def step(self):
        for rule in self.rules:
            rule.step()


def rules(model, sine):
    small = 0.1 if sine else 1.0
    parameters = model.parameters
    for lr in (2e-3, 5e-3, 1e-2):
        yield f"Adam {lr * small:g}", lambda lr=lr: torch.optim.Adam(parameters(), lr=lr * small)
    for lr in (8e-3, 16e-3, 30e-3):
        lr = lr / 30 if sine else lr
        yield f"Muon {lr:.1e}", lambda lr=lr: Muon(model, lr, 1e-3 * small)
    for every in (1, 10):
        for lr in (1e-3, 3e-3, 1e-2):
            yield f"SOAP {lr:g}, basis every {every}", lambda lr=lr, every=every: SOAP(
                parameters(), lr=lr, weight_decay=0, precondition_frequency=every
            )
    for lr in (1e-2, 3e-2, 1e-1):
        yield f"schedule-free AdamW {lr * small:g}", lambda lr=lr: AdamWScheduleFree(
            parameters(), lr=lr * small, warmup_steps=20
        )


def train(args, features, truth, model, rule):
    batches = len(truth) // args.batch
    n_steps = args.passes * batches
    inner = getattr(rule, "rules", [rule])
    rates = [[group["lr"] for group in one.param_groups] for one in inner]
    is_free = isinstance(rule, AdamWScheduleFree)
    if is_free:
        rule.train()
    generator = torch.Generator().manual_seed(1)
    start, in_rule = time.perf_counter(), 0.0
    for step in range(n_steps):
        if step % batches == 0:
            order = torch.randperm(len(truth), generator=generator)
        samples = order[step % batches * args.batch :][: args.batch]
        factor = 1 if is_free else (1 + math.cos(math.pi * step / n_steps)) / 2
        for one, group_rates in zip(inner, rates):
            for group, rate in zip(one.param_groups, group_rates):
                group["lr"] = rate * factor
        for p in model.parameters():
            p.grad = None
        torch.nn.functional.mse_loss(model(features[samples]), truth[samples]).backward()
        began = time.perf_counter()
        rule.step()
        in_rule += time.perf_counter() - began
    seconds = time.perf_counter() - start
    if is_free:
        rule.eval()
    with torch.no_grad():
        mse = torch.nn.functional.mse_loss(model(features).clamp(0, 1), truth).item()
    return -10 * math.log10(mse), seconds, in_rule / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", default="assets/astronaut.png")
    for name, usual in (("size", 128), ("hidden", 128), ("features", 256), ("batch", 2048), ("passes", 60)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--sigma", type=float, default=15)
    parser.add_argument("--sine", action="store_true")
    parser.add_argument("--gain", type=float, default=1, help="factor on a sine network's weights but the last layer's")
    parser.add_argument("--only", default="", help="rules whose name has this in it")
    args = parser.parse_args()
    truth = picture(args.picture, args.size)
    ticks = (torch.arange(args.size) + 0.5) / args.size
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    frequencies = args.sigma * torch.randn(2, args.features, generator=torch.Generator().manual_seed(0))
    angles = 2 * math.pi * torch.stack([x.flatten(), y.flatten()], 1) @ frequencies
    features = torch.cat([angles.sin(), angles.cos()], 1)
    model = network(args, features.shape[1])
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    for name, rule in rules(model, args.sine):
        if args.only in name:
            model.load_state_dict(initial)
            psnr, seconds, share = train(args, features, truth, model, rule())
            print(f"{name:32} {psnr:6.2f} dB {seconds:6.1f} s {share:4.0%}", flush=True)


main()
