#!/usr/bin/env python3
"""Everything worth knowing about a GPU at hand, in one command of a few minutes.

    python3 benches/gpu.py                                  # target/release/afterimage, the best adapter
    python3 benches/gpu.py --program ./afterimage --out report --adapter nvidia
    python3 benches/gpu.py --adapter llvmpipe --small       # a software driver: right answers, no figures

Runs `adapters`, `verify`, `bench` in f32 and mixed with the kernels that tuning chose, PyTorch on the same jobs where it is
installed with CUDA, the default training run, and the `seed` preset at 512x512 in f32 and mixed. Writes gpu.json (every
report), gpu.md (rows for docs/BENCHMARKS.md) and the programs' logs to the output folder. Needs nothing but Python.
Exit code 1 if a kernel is wrong or a command fails.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default=HERE.parent / "target/release/afterimage", type=pathlib.Path)
parser.add_argument("--adapter", help="number or part of its name")
parser.add_argument("--out", default="gpu-report", type=pathlib.Path)
parser.add_argument("--seconds", type=float, default=1.0, help="for each job")
parser.add_argument("--small", action="store_true", help="sizes for a software driver")
parser.add_argument("--only", default="", help="commands with this in their names")
args = parser.parse_args()
if not args.program.is_file():
    sys.exit(f"{args.program} is not there: build it with `cargo build --release`, or name it with --program")
args.out.mkdir(parents=True, exist_ok=True)
picture = HERE.parent / "assets/astronaut.png"
failed = []
reports = {"torch": {}}


def run(name, command, timeout, env=()):
    """The command's standard output, or None; its messages go to NAME.log."""
    if args.only not in name:
        return None
    start = time.monotonic()
    log = args.out / f"{name}.log"
    try:
        with log.open("wb") as messages:
            done = subprocess.run(
                [str(part) for part in command],
                stdout=subprocess.PIPE,
                stderr=messages,
                timeout=timeout,
                env={**os.environ, "AFTERIMAGE_CACHE": str(args.out.resolve() / "cache"), **dict(env)},
            )
        output, code = done.stdout.decode(), done.returncode
    except subprocess.TimeoutExpired as expired:
        output, code = (expired.stdout or b"").decode(), f"stopped after {timeout} s"
    except OSError as error:
        output, code = "", error
    (args.out / f"{name}.out").write_text(output)
    print(f"{name}: {time.monotonic() - start:.1f} s{'' if code == 0 else f', {code}'}", flush=True)
    if code != 0:
        failed.append(name)
        print("    " + "\n    ".join(log.read_text(errors="replace").splitlines()[-8:]), flush=True)
    return output


def report(name, command, timeout, env=()):
    """The same as JSON."""
    output = run(name, command, timeout, env)
    try:
        reports[name] = json.loads(output) if output else None
    except ValueError:
        reports[name] = None
    keep()
    return reports[name]


def keep():
    """Writes all reports so far, so that nothing is lost when time runs out."""
    (args.out / "gpu.json").write_text(json.dumps({**reports, "failed": failed}, indent=1))


def ours(*command, adapter=True):
    chosen = ["--adapter", args.adapter] if args.adapter and adapter else []
    return [args.program.resolve(), *command, *chosen]


def trained(name, *options, timeout):
    """The summary of a training run."""
    folder = args.out / name
    run(name, ours("train", picture, "--backend", "gpu", "--out", folder, "--force", "--quiet", *options), timeout)
    # What is in the folder may be of an earlier report.
    done = args.only in name and name not in failed
    return json.loads((folder / "run.json").read_text()) if done else None


def best_of_torch():
    """The best of PyTorch's modes for each job."""
    modes = {"f32": [], "TF32": ["--tf32"], "bf16": ["--amp"], "compiled bf16": ["--amp", "--compile"]}
    best = {}
    for mode, options in modes.items():
        # Compiling takes ten seconds a job.
        jobs = "seed 512x512" if "--compile" in options else ""
        command = [sys.executable, HERE / "torch_baseline.py", "--json", "--seconds", str(args.seconds), "--jobs", jobs, *options]
        found = report(f"torch-{mode.replace(' ', '-')}", command, 120)
        for job in found["jobs"] if found else []:
            reports["torch"].setdefault(job["job"], {})[mode] = job["ms"]
    for job, times in reports["torch"].items():
        best[job] = min(times.items(), key=lambda item: item[1])
    return best


def has_cuda():
    code = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode == 0


report("adapters", ours("adapters", "--json", adapter=False), 60)
for adapter in reports["adapters"] or []:
    print(adapter)
report("verify", ours("verify", "--json", "--steps", "20"), 120)
sizes = ["--size", "64", "--jobs", "seed"] if args.small else []
debug = {"RUST_LOG": "afterimage=debug"}
for precision in ("f32", "mixed"):
    bench = ours("bench", "--json", "--backend", "gpu", "--seconds", str(args.seconds), "--precision", precision, *sizes)
    report(f"bench-{precision}", bench, 180, debug)
best_torch = {} if args.small or not has_cuda() else best_of_torch()
budget = ["--size", "32x32", "--epochs", "3"] if args.small else []
reports["default"] = trained("default", *budget, timeout=100)
steps = ["--preset", "seed", *(budget or ["--epochs", "300", "--measure-every", "100"])]
for precision in ("f32", "mixed"):
    reports[f"seed-{precision}"] = trained(f"seed-{precision}", *steps, "--precision", precision, timeout=100)
keep()

lines = ["| job | f32, ms a step | GFLOP/s | samples/s | mixed, ms a step | GFLOP/s | PyTorch's best, ms | speedup |"]
lines.append("|---|---:|---:|---:|---:|---:|---:|---:|")
rows = {}
for precision in ("f32", "mixed"):
    for job in (reports[f"bench-{precision}"] or {"jobs": []})["jobs"]:
        if job.get("job"):
            rows.setdefault(job["job"], {})[precision] = job
for name, row in rows.items():
    cells = [name]
    for precision in ("f32", "mixed"):
        job = row.get(precision)
        cells += [f"{job['ms']:.3f}", f"{job['gflop_per_second']:.0f}"] if job else ["-", "-"]
        if precision == "f32":
            cells.append(f"{job['samples_per_second']:.3g}" if job else "-")
    mode, ms = best_torch.get(name, (None, None))
    fastest = min(job["ms"] for job in row.values())
    cells += [f"{ms:.3f} ({mode})", f"{ms / fastest:.2f}"] if ms else ["-", "-"]
    lines.append("| " + " | ".join(cells) + " |")
lines += ["", "| job | kernel | dispatches | f32, us each | | kernel, mixed | dispatches | us each |", "|---|---|---:|---:|---|---|---:|---:|"]
for name, row in rows.items():
    kernels = [(row.get(precision) or {}).get("kernels") or [] for precision in ("f32", "mixed")]
    for i in range(max(map(len, kernels))):
        cells = [name if i == 0 else ""]
        for times in kernels:
            time_of = times[i] if i < len(times) else None
            cells += [time_of["kernel"], str(time_of["dispatches"])] if time_of else ["", ""]
            cells += [f"{1e3 * time_of['ms'] / time_of['dispatches']:.1f}" if time_of else ""]
            cells += [""] if times is kernels[0] else []
        lines.append("| " + " | ".join(cells) + " |")
(args.out / "gpu.md").write_text("\n".join(lines) + "\n")
print("\n".join(lines[: 2 + len(rows)]))
for precision in ("f32", "mixed"):
    if reports[f"bench-{precision}"]:
        print(precision, reports[f"bench-{precision}"]["device"], reports[f"bench-{precision}"]["ceilings"])
for name in ("default", "seed-f32", "seed-mixed"):
    summary = reports[name]
    if summary:
        timings = summary["timings"]
        print(f"{name}: {summary['psnr_train']:.2f} dB, {summary['steps']} steps,", timings)
if reports["verify"]:
    rows = reports["verify"]["kernels"] + reports["verify"]["lockstep"]
    wrong = [row for row in rows if not row["passed"]]
    lacking = sum(row["lacks"] is not None for row in rows)
    print(f"verify: {len(rows)} rows, {len(wrong)} wrong, {lacking} the device lacks something for")
    for row in wrong:
        print("   ", row["kernel"], row["worst_share"], row["worst_place"], row["error"])
sys.exit(1 if failed else 0)
