"""Collections made by a Ray cluster."""

import math
import os
import pathlib
import tempfile

from . import _afterimage


def collect(pictures, out, preset=None, *, address=None, per_task=256, retries=10, progress=None, backend="cpu", **options):
    """Trains the networks of a collection in tasks of `per_task` pictures, a core each or, with backend="gpu", a GPU.

    Every machine must see `pictures` at the same path; `out` is only on this one. address is the cluster's, by default
    the one that this process is connected to or a new one of this machine. A task whose worker is lost is done again,
    `retries` times. Shards that are done before are not done again.
    """
    import ray

    for option in ("shard", "threads"):
        if options.get(option) is not None:
            raise ValueError(f"{option} is chosen by engine=\"ray\": leave it out")
    pictures, out = os.path.abspath(pictures), pathlib.Path(out)
    n_shards = math.ceil(_afterimage.count_pictures(pictures) / per_task)
    out.mkdir(parents=True, exist_ok=True)
    if n_shards == 1 or (out / "collection.toml").exists():
        # A single task, or a collection of this machine: nothing to share.
        return _afterimage.collect(pictures, out, preset, progress=progress, backend=backend, **options)
    shards = [f"{number}/{n_shards}" for number in range(1, n_shards + 1)]
    todo = [shard for shard in shards if not _folder(out, shard).exists()]
    done = [shard for shard in shards if shard not in todo]
    options = {"preset": preset, "backend": backend, **options}
    # The first shard that is there is compared with what is asked for, and finished if it is not.
    for shard in done:
        _afterimage.collect(pictures, out, shard=shard, progress=False, **options)
    if not todo:
        return
    bar = _bar(progress, len(shards), len(done))
    was_connected = ray.is_initialized()
    if not was_connected:
        ray.init(address=address, log_to_driver=False)
    train = ray.remote(num_cpus=1, num_gpus=int(backend == "gpu"), max_retries=retries)(train_shard)
    try:
        waiting = {train.remote(pictures, shard, options): shard for shard in todo}
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1)
            for task in ready:
                _keep(_folder(out, waiting.pop(task)), ray.get(task))
                bar.update(1)
    finally:
        bar.close()
        if not was_connected:
            ray.shutdown()


def train_shard(pictures, shard, options):
    """On a worker: the files of a shard by their names."""
    options = dict(options)
    if options["backend"] == "gpu":
        import ray

        # Vulkan does not heed CUDA_VISIBLE_DEVICES, so that every worker would take the same one.
        options.setdefault("adapter", str(ray.get_gpu_ids()[0]))
    with tempfile.TemporaryDirectory() as folder:
        _afterimage.collect(pictures, folder, shard=shard, threads=1, progress=False, **options)
        return {path.name: path.read_bytes() for path in _folder(pathlib.Path(folder), shard).iterdir()}


def _folder(out, shard):
    return out / f"shard-{shard.replace('/', '-of-')}"


def _keep(folder, files):
    """Writes a shard as a whole or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".afterimage-") as temporary:
        whole = pathlib.Path(temporary, "whole")
        whole.mkdir()
        for name, content in files.items():
            (whole / name).write_bytes(content)
        whole.rename(folder)


class _NoBar:
    def update(self, n):
        pass

    def close(self):
        pass


def _bar(progress, n, done):
    from ._progress import maker

    make = maker(progress, " shards")
    bar = _NoBar() if make is None else make(n)
    bar.update(done)
    return bar
