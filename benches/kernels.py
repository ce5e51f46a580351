#!/usr/bin/env python3
"""What Mesa's compiler for AMD makes of every compute kernel, without a GPU: registers, occupancy, spills, widths of loads.

    python3 benches/kernels.py --out docs/KERNELS.md               # target/release/afterimage, the system's RADV
    python3 benches/kernels.py --check docs/KERNELS.md             # what got worse since that table was written?
    python3 benches/kernels.py --family gfx1100 --kernels dense    # only these, printed
    python3 benches/kernels.py --kernels dense_forward.relu --isa isa   # and their machine code, into the folder isa

Mesa's RADV opens a GPU that is not there (RADV_FORCE_FAMILY, up to Mesa 25) and compiles for it. `afterimage verify` asks
it for every kernel; the layer kernels.c stands in for what such a GPU lacks, so nothing is computed and no result is right.
The figures are RADV's statistics and what its machine code shows. Takes half a minute a family. Needs Linux, RADV and a C
compiler; skipped, with a line that says so, where one is missing. Exit code 1 if --check finds a figure worse by a tenth or
more, a new spill, or kernels that are new or gone; 2 if it cannot compare.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# For each family: RADV's other name of it, registers of a SIMD for a wave of 32 threads, and waves of a SIMD.
FAMILIES = {
    "gfx1010": ("navi10", 1024, 20),
    "gfx1030": ("navi21", 1024, 16),
    "gfx1100": ("navi31", 1536, 16),
    "gfx1102": ("navi33", 1024, 16),
}
# Of a pair of compute units, which a workgroup is spread over.
SIMDS = 4
LDS_BYTES = 128 * 1024
# Figures: the column's title, whether more is better, and what it says.
COLUMNS = [
    ("VGPRs", False, "vector registers of a thread, as they are allotted"),
    ("LDS", False, "bytes of workgroup memory"),
    ("waves", True, "waves that a SIMD holds at once to hide latency, by registers, LDS and whole workgroups; 16 at most, gfx1010 20"),
    ("spills", False, "registers, vector and scalar, that did not fit"),
    ("scratch", False, "bytes of memory for spilled registers and for arrays with a variable index"),
    ("loads", True, "bits of the widest load from buffers by a thread, `-` if there is none; uniform values are not counted"),
    ("LDS loads", True, "the same from workgroup memory"),
    ("waits", False, "instructions in the hot loop that wait for memory, `-` without a loop"),
    ("per sum", False, "instructions of the hot loop for each multiply-add in it, `-` if it has hardly any; narrower loads show here"),
    ("atomics", False, "atomic instructions, on buffers and on workgroup memory"),
    ("instructions", False, "in the whole kernel"),
]
TITLES = [title for title, _, _ in COLUMNS]


def skip(reason):
    print(f"benches/kernels.py is skipped: {reason}")
    sys.exit(0)


def refuse(reason):
    print(f"benches/kernels.py: {reason}", file=sys.stderr)
    sys.exit(2)


def families(text):
    chosen = text.split(",")
    for family in chosen:
        if family not in FAMILIES:
            raise argparse.ArgumentTypeError(f"'{family}' is none of {', '.join(FAMILIES)}")
    return chosen


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default=HERE.parent / "target/release/afterimage", type=pathlib.Path)
parser.add_argument("--family", type=families, metavar="NAME,..", help=f"of {', '.join(FAMILIES)}; by default gfx1030 and gfx1100, or the table's")
parser.add_argument("--driver", type=pathlib.Path, metavar="JSON", help="description (ICD) of another RADV than the system's")
parser.add_argument("--kernels", default="", metavar="TEXT", help="only kernels whose names contain this")
parser.add_argument("--isa", type=pathlib.Path, metavar="FOLDER", help="write each kernel's machine code there, in a folder per family")
purpose = parser.add_mutually_exclusive_group()
purpose.add_argument("--out", type=pathlib.Path, metavar="FILE", help="write the table there instead of printing it")
purpose.add_argument("--check", type=pathlib.Path, metavar="FILE", help="compare with this table")
args = parser.parse_args()


def system_driver():
    """The description of the system's RADV."""
    for folder in ("/usr/local/share", "/etc", "/usr/share"):
        # A 32-bit one is for 32-bit programs.
        found = [path for path in sorted(pathlib.Path(folder, "vulkan/icd.d").glob("radeon_icd*.json")) if "i686" not in path.name]
        if found:
            return found[0]
    skip("there is no RADV, Mesa's Vulkan driver for AMD (Debian and Ubuntu: package mesa-vulkan-drivers)")


def build_layer(folder):
    """Compiles the layer and describes it to the Vulkan loader."""
    compiler = shutil.which(os.environ.get("CC", "cc")) or skip("there is no C compiler (set CC, or install gcc or clang)")
    command = [compiler, "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread", HERE / "kernels.c", "-o", folder / "layer.so"]
    done = subprocess.run(command, stderr=subprocess.PIPE)
    if done.returncode != 0:
        refuse(f"kernels.c does not compile: {done.stderr.decode(errors='replace')}")
    layer = {"name": "VK_LAYER_AFTERIMAGE_kernels", "type": "GLOBAL", "library_path": "./layer.so", "api_version": "1.3.0"}
    layer = {**layer, "implementation_version": "1", "description": "a GPU that is not there"}
    (folder / "layer.json").write_text(json.dumps({"file_format_version": "1.1.2", "layer": layer}))


def environment(layer, family):
    # Nothing of the caller's that changes what is compiled, or that keeps it.
    ours = {name: value for name, value in os.environ.items() if not re.match("RADV_|MESA_|VK_|WGPU_|AFTERIMAGE_|RUST_LOG", name)}
    return {
        **ours,
        "VK_DRIVER_FILES": str(driver),
        "VK_ICD_FILENAMES": str(driver),
        "VK_LAYER_PATH": str(layer),
        "VK_INSTANCE_LAYERS": "VK_LAYER_AFTERIMAGE_kernels",
        "RADV_FORCE_FAMILY": family,
        "RADV_DEBUG": "shaders,shaderstats,nocache",
        "MESA_SHADER_CACHE_DISABLE": "true",
        # With names for what it makes.
        "WGPU_DEBUG": "1",
        "WGPU_BACKEND": "vulkan",
        "AFTERIMAGE_CACHE": "",
    }


def name_and_version(layer, family):
    """What this driver calls the family, and the version of Mesa."""
    for name in (family, FAMILIES[family][0]):
        command = [args.program.resolve(), "adapters", "--json"]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(layer, name), timeout=60)
            # The driver ends the program if it does not know the family.
            if done.returncode < 0:
                continue
            drivers = [adapter["driver"] for adapter in json.loads(done.stdout)]
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            refuse(f"{args.program} does not list its adapters: {error}")
        version = re.fullmatch(r"radv (Mesa [^\s,]+).*", drivers[0]) if len(drivers) == 1 else None
        return (name, version.group(1)) if version else refuse(f"{driver} is no RADV that opens a GPU without having it, as up to Mesa 25")
    message = done.stderr.decode(errors="replace").strip().splitlines()
    refuse(f"{driver} does not know {family}: {message[-1] if message else done.returncode}")


def widest(text, loads):
    """Bits of the widest of the loads that start so, by the names of RDNA 2 or 3."""
    bits = []
    for name in re.findall(rf"^\s+({loads}\w+)", text, re.M):
        twice = 2 if re.search("2addr|read2", name) else 1
        if found := re.search(r"_[bui](\d+)", name):
            bits.append(twice * int(found.group(1)))
        elif found := re.search(r"dword(?:x(\d))?", name):
            bits.append(32 * int(found.group(1) or 1))
        else:
            bits.append(8 if "byte" in name else 16)
    return max(bits, default=None)


def hot_loop(code):
    """The loop where most multiply-adds are done, without the loops in it, and how many are in it; None and 0 without a loop."""
    labels, loops, operations = {}, {}, []
    for line in code.splitlines():
        if label := re.match(r"(BB\d+):", line):
            labels[label.group(1)] = len(operations)
        elif re.match(r"\s+[a-z]\w+", line):
            operations.append(line)
            target = re.match(r"\s+s_c?branch\w*\s+(BB\d+)", line)
            # A label that is known by now is behind: this closes a loop.
            if target and target.group(1) in labels:
                loops[labels[target.group(1)]] = len(operations)
    best = (0, 0), None, 0
    for first, end in loops.items():
        others = [loop for loop in loops.items() if loop != (first, end)]
        inside = [(a, b) for a, b in others if first <= a and b <= end]
        own = [line for i, line in enumerate(operations[first:end], first) if not any(a <= i < b for a, b in inside)]
        sums = len(re.findall(r"\bv_(?:dual_|pk_)?(?:fma|ma[cd]_\w*f\d\d|dot|wmma)", "\n".join(own)))
        # The number of rounds is not in the code: eight of every loop around it is a guess.
        rounds = 8 ** sum(a <= first and end <= b for a, b in others)
        best = max(best, ((rounds * sums, rounds * len(own)), own, sums), key=lambda loop: loop[0])
    return best[1:]


def waves(family, vgprs, lds, threads, code):
    """Not RADV's own figure: for a GPU that is not there, it takes some of the sizes from another one."""
    _, registers, most = FAMILIES[family]
    # With 32 threads in a wave, a mask of threads is half of a pair of registers.
    size = 32 if re.search(r"\b(vcc_lo|exec_lo)\b|saveexec_b32", code) else 64
    by_registers = registers // (vgprs * size // 32) if vgprs else most
    of_workgroup = -(-threads // size)
    workgroups = SIMDS * min(most, by_registers) // of_workgroup
    if lds:
        workgroups = min(workgroups, LDS_BYTES // lds)
    return workgroups * of_workgroup / SIMDS


def figures(family, printed):
    """A kernel's row, from all that RADV printed of it; and its machine code."""
    text = "".join(printed)
    code, _, statistics = text.rpartition("disasm:")[2].partition("*** SHADER STATS ***")
    known = {name.lower(): int(value) for name, value in re.findall(r"^([\w -]+): (\d+)$", statistics, re.M)}
    if not {"vgprs", "lds size", "spilled vgprs", "spilled sgprs", "scratch size", "instructions"} <= known.keys() or "s_endpgm" not in code:
        refuse(f"{driver} does not print machine code and statistics as this tool knows them")
    code = code[: code.rindex("s_endpgm") + len("s_endpgm")] + "\n"
    threads = 1
    for side in re.findall(r"^workgroup[-_]size: (\d+), (\d+), (\d+)", text, re.M)[-1]:
        threads *= int(side)
    loop, sums = hot_loop(code)
    vgprs, lds = known["vgprs"], known["lds size"]
    row = [
        vgprs,
        lds,
        waves(family, vgprs, lds, threads, code),
        known["spilled vgprs"] + known["spilled sgprs"],
        known["scratch size"],
        widest(code, "(?:buffer|global)_load"),
        widest(code, "ds_(?:load|read)"),
        None if loop is None else sum(bool(re.match(r"\s+s_wait(?!cnt_depctr|_alu)", line)) for line in loop),
        # Among addresses, a multiply-add or two say nothing.
        round(len(loop) / sums, 2) if sums and len(loop) <= 20 * sums else None,
        len(re.findall(r"^\s+(?:\w+_atomic_|ds_(?:add|sub|inc|dec|min|max|and|or|xor|cmp|wrx|storex))", code, re.M)),
        known["instructions"],
    ]
    return row, code


def compile_all(layer, family):
    """The version of Mesa; the rows of all kernels; and how many need something that the driver lacks."""
    start = time.monotonic()
    name, version = name_and_version(layer, family)
    rows, codes, made, printed, last = {}, {}, {}, [], ""
    command = [args.program.resolve(), "verify", "--json", "--kernels", args.kernels]
    with tempfile.TemporaryFile() as report:
        running = subprocess.Popen(
            command, stdout=report, stderr=subprocess.PIPE, env=environment(layer, name), text=True, errors="replace"
        )
        try:
            for line in running.stderr:
                if found := re.match(r"@@pipeline (\w+)$", line):
                    made[found.group(1)], printed = printed, []
                elif found := re.match(r"@@name (\w+) (.*)$", line):
                    of_it = made.pop(found.group(1), None)
                    # Names in brackets are of wgpu's own kernels.
                    if of_it and not found.group(2).startswith("("):
                        rows[found.group(2)], codes[found.group(2)] = figures(family, of_it)
                else:
                    printed.append(line)
                    last = line.strip() or last
            running.wait()
        finally:
            running.kill()
        report.seek(0)
        output = report.read().decode(errors="replace")
    # Exit code 1, since all results are wrong.
    if running.returncode != 1 or not output:
        refuse(f"{args.program} failed for {family} ({running.returncode}): {last}")
    kernels = json.loads(output)["kernels"]
    lacking = collections.Counter(kernel["lacks"] for kernel in kernels if kernel["lacks"])
    missed = [kernel["kernel"] for kernel in kernels if not kernel["lacks"] and kernel["kernel"] not in rows]
    if missed:
        refuse(f"no figures came for {len(missed)} kernels of {family}: {', '.join(missed[:5])}")
    if args.isa:
        folder = args.isa / family
        folder.mkdir(parents=True, exist_ok=True)
        for kernel, code in codes.items():
            (folder / f"{kernel}.s").write_text(code)
    print(f"{family}: {len(rows)} kernels in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return version, rows, lacking


def shown(value):
    return "-" if value is None else f"{value:g}"


def table(found):
    """The whole of docs/KERNELS.md."""
    lines = [
        "# Machine code of the kernels",
        "",
        "What Mesa's compiler for AMD makes of every compute kernel, so that a review sees when one gets worse. No GPU is needed:",
        "",
        "    python3 benches/kernels.py --out docs/KERNELS.md      # writes this file",
        "    python3 benches/kernels.py --check docs/KERNELS.md    # lists what got worse since by a tenth or more",
        "",
        "Another version of Mesa gives other figures, and `--check` refuses to compare them. No figure here is a measured time; those are",
        "in [BENCHMARKS.md](BENCHMARKS.md). Kernels of whole networks are compiled for the sizes that `afterimage verify` compares. The",
        "columns:",
        "",
        *(f"- **{title}**: {meaning}" for title, _, meaning in COLUMNS),
        "",
        "The hot loop is the one with most multiply-adds, or with most instructions where none has any, without the loops in it. Every",
        "loop around it counts as eight rounds.",
    ]
    for family, (version, rows, lacking) in found.items():
        lines += ["", f"## {family}", "", f"{version}, {len(rows)} kernels."]
        if lacking:
            lines[-1] += f" Not compiled for lack of {', '.join(f'{lack}: {n}' for lack, n in lacking.items())}."
        lines += ["", f"| kernel | {' | '.join(TITLES)} |", "|---|" + "---:|" * len(TITLES)]
        lines += [f"| {kernel} | {' | '.join(map(shown, row))} |" for kernel, row in rows.items()]
    return "\n".join(lines) + "\n"


def read_table(path):
    """The versions and rows of a table that was written earlier."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:
        refuse(f"{path} cannot be read: {error}")
    found = {}
    for number, line in enumerate(lines, 1):
        if line.startswith("## ") and line[3:] in FAMILIES:
            family = line[3:]
            found[family] = [None, {}]
        elif found and (version := re.match(r"(Mesa [^\s,]+), \d+ kernels", line)):
            found[family][0] = version.group(1)
        elif found and line.startswith("| ") and not line.startswith("| kernel |"):
            kernel, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
            try:
                row = [None if cell == "-" else float(cell) for cell in cells]
            except ValueError:
                row = []
            if len(row) != len(COLUMNS):
                refuse(f"line {number} of {path} is no row of {len(COLUMNS)} figures; write the table anew with --out")
            found[family][1][kernel] = row
    if not found or any(version is None for version, _ in found.values()):
        refuse(f"{path} is no table that this tool wrote")
    return found


def worse(more_is_better, before, now):
    """Whether a figure got worse by a tenth or more; any new spill counts."""
    if before is None or now is None:
        # No load and no loop are neither better nor worse than some.
        return False
    if more_is_better:
        return now <= 0.9 * before and now < before
    # A figure that was 0 has no tenth.
    return now > before and now >= 1.1 * before - 1e-9


def check(before, found):
    """Prints what got worse; whether anything did."""
    failed = False
    for family, (_, rows, _) in found.items():
        old = {kernel: row for kernel, row in before[family][1].items() if args.kernels in kernel}
        n_worse = n_better = 0
        for kernel in old.keys() & rows.keys():
            n_better += any(worse(not more, a, b) for (_, more, _), a, b in zip(COLUMNS, old[kernel], rows[kernel]))
        for kernel, row in rows.items():
            if kernel not in old:
                continue
            pairs = zip(COLUMNS, old[kernel], row)
            changes = [f"{title} {shown(a)} -> {shown(b)}" for (title, more, _), a, b in pairs if worse(more, a, b)]
            if changes:
                n_worse += 1
                print(f"{family} {kernel}: {', '.join(changes)}")
        new = [kernel for kernel in rows if kernel not in old]
        gone = [kernel for kernel in old if kernel not in rows]
        for kernels, what in ((new, "new"), (gone, "gone")):
            for kernel in kernels:
                print(f"{family} {kernel}: {what}")
        print(f"{family}: {n_worse} of {len(rows)} kernels worse by a tenth or more, {n_better} better, {len(new)} new, {len(gone)} gone")
        failed |= bool(n_worse or new or gone)
    return failed


if args.out and args.kernels:
    parser.error("--out writes the whole table, so leave out --kernels")
if not args.program.is_file():
    refuse(f"{args.program} is not there: build it with `cargo build --release`, or name it with --program")
before = read_table(args.check) if args.check else {}
chosen = args.family or list(before) or ["gfx1030", "gfx1100"]
for family in chosen if before else []:
    if family not in before:
        refuse(f"{args.check} has no {family}, only {', '.join(before)}")
if args.driver and not args.driver.is_file():
    refuse(f"{args.driver} is not there")
driver = (args.driver or system_driver()).resolve()
with tempfile.TemporaryDirectory() as folder:
    layer = pathlib.Path(folder)
    build_layer(layer)
    for family in chosen if before else []:
        # Before minutes are spent.
        version = name_and_version(layer, family)[1]
        if version != before[family][0]:
            refuse(f"{args.check} has {family} by {before[family][0]} and this is {version}, whose figures do not compare; write it anew with --out")
    found = {family: compile_all(layer, family) for family in chosen}
if args.check:
    failed = check(before, found)
    if failed:
        print(f"where this is meant, write {args.check} anew with --out and commit it with the change")
    sys.exit(1 if failed else 0)
if args.out:
    try:
        args.out.write_text(table(found))
    except OSError as error:
        refuse(f"the table cannot be written: {error}")
else:
    print(table(found), end="")
