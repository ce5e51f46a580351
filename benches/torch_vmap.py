#!/usr/bin/env python3
"""PyTorch's `torch.func.vmap` beside `afterimage collect`: SIRENs trained at a time, networks a second.

    pip install torch numpy
    python benches/torch_vmap.py                                    # 3x64 on 32x32, as CIFAR-10's pictures
    python benches/torch_vmap.py --side 128 --layers 4 --hidden 256 --batches 1,2,4 --steps 3

The same networks, full batches of all pixels and Adam as `afterimage collect --preset siren --batch full`, on random
pictures: their values change no time. Each batch of networks is one job of `--threads` threads; with `--processes 2`
as many run side by side, as they would on two cores. The best batch counts. A network has 1000 steps.
"""
import argparse
import math
import subprocess
import sys
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--side", type=int, default=32)
parser.add_argument("--layers", type=int, default=3)
parser.add_argument("--hidden", type=int, default=64)
parser.add_argument("--batches", default="1,4,16,64,256", help="networks at a time")
parser.add_argument("--steps", type=int, default=30, help="timed")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--processes", type=int, default=1)
args = parser.parse_args()


def measure(n_networks):
    """Networks a second, and seconds of a core for each, which other programs disturb less."""
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    widths = [2] + [args.hidden] * (args.layers - 1) + [3]
    places = (torch.arange(args.side) + 0.5) / args.side
    coords = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1).reshape(-1, 2)
    pictures = torch.rand(n_networks, args.side**2, 3)
    params = []
    for layer, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        bound = 1 / inputs if layer == 0 else math.sqrt(6 / inputs) / 60
        params += [(2 * torch.rand(n_networks, outputs, inputs) - 1) * bound, torch.zeros(n_networks, outputs)]
    adam = torch.optim.Adam(params, lr=1e-3, foreach=True)

    def loss(params, picture):
        x = coords
        for layer in range(args.layers):
            x = torch.nn.functional.linear(x, params[2 * layer], params[2 * layer + 1])
            if layer < args.layers - 1:
                x = torch.sin(60 * x)
        return ((x - picture) ** 2).mean()

    gradients = torch.func.vmap(torch.func.grad(loss))

    def step():
        for param, gradient in zip(params, gradients(params, pictures)):
            param.grad = gradient
        adam.step()

    step()
    start, start_of_cores = time.perf_counter(), time.process_time()
    for _ in range(args.steps):
        step()
    scale = 1000 / args.steps / n_networks
    return 1 / (scale * (time.perf_counter() - start)), scale * (time.process_time() - start_of_cores)


def side_by_side(n_networks):
    """The sum over all processes, each of which runs this file for one batch."""
    command = [sys.executable, __file__, "--side", args.side, "--layers", args.layers, "--hidden", args.hidden]
    command += ["--steps", args.steps, "--threads", args.threads, "--batches", n_networks]
    command = list(map(str, command))
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(args.processes)]
    speeds, cores = zip(*(map(float, process.communicate()[0].split()[-2:]) for process in running))
    return sum(speeds), sum(cores) / len(cores)


for n_networks in map(int, args.batches.split(",")):
    speed, cores = measure(n_networks) if args.processes == 1 else side_by_side(n_networks)
    print(f"{n_networks:4} at a time: networks/s, seconds of a core for each: {speed:.3f} {cores:.3f}", flush=True)
