"""Collections: the networks of `fit`, as a dataset, and on a Ray cluster that loses a worker."""

import os
import pathlib
import signal
import sys
import threading
import time
import uuid

import afterimage
import numpy as np
import pytest
from PIL import Image

# With the defaults that depend on the picture: those of a collection are the first picture's.
SETTINGS = dict(
    encoding="none", activation="sine", output_activation="identity", hidden=12, layers=3, batch=100, epochs=10
)


@pytest.fixture(scope="module")
def pictures(portrait, tmp_path_factory):
    """Twelve parts of the portrait in two folders, 20 x 16 pixels each."""
    folder = tmp_path_factory.mktemp("pictures")
    whole = Image.open(portrait)
    for i in range(12):
        (folder / "ab"[i % 2]).mkdir(exist_ok=True)
        whole.crop((23 * i, 17 * i, 23 * i + 20, 17 * i + 16)).save(folder / "ab"[i % 2] / f"{i:02}.png")
    return folder


def same(a, b):
    assert a.keys() == b.keys()
    return all(np.array_equal(a[name], b[name]) for name in a)


def by_name(collection):
    return {row["picture"]: (row["psnr"], collection.weights(i)) for i, row in enumerate(collection.rows)}


def test_networks_are_those_of_fit(pictures, tmp_path):
    collection = afterimage.collect(pictures, tmp_path / "out", **SETTINGS)
    assert (len(collection), collection.labels) == (12, ["a", "b"])
    for i in (0, 7, 11):
        row, (weights, label) = collection.rows[i], collection[i]
        alone = afterimage.fit(pictures / row["picture"], backend="cpu", **SETTINGS)
        assert same(weights, alone.state_dict())
        assert collection.labels[label] == row["label"] == row["picture"].split("/")[0]
        model = collection.model(i)
        assert same(model.state_dict(), weights) and model.psnr() == row["psnr"] == alone.psnr()
        assert np.array_equal(model.render(), alone.render())
    # Nothing is left to do, and another collection is refused.
    again = afterimage.collect(str(pictures), tmp_path / "out", progress=False, **SETTINGS)
    assert again.rows == collection.rows
    with pytest.raises(ValueError, match="made otherwise"):
        afterimage.collect(pictures, tmp_path / "out", **{**SETTINGS, "lr": 0.1})


def test_shards_are_one_collection(pictures, tmp_path):
    whole = afterimage.collect(pictures, tmp_path / "whole", crop=16, seeds="each", **SETTINGS)
    for shard in ("1/2", "2/2"):
        parts = afterimage.collect(pictures, tmp_path / "parts", crop=16, seeds="each", shard=shard, **SETTINGS)
    one, other = by_name(whole), by_name(parts)
    assert one.keys() == other.keys()
    assert all(one[name][0] == other[name][0] and same(one[name][1], other[name][1]) for name in one)


def test_what_is_left_out_is_said(pictures, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text(f"{pictures}/a/00.png\tfirst\n{tmp_path}/none.png\n")
    with pytest.warns(UserWarning, match="1 pictures are left out"):
        collection = afterimage.collect(listed, tmp_path / "out", **SETTINGS)
    assert [row["label"] for row in collection.rows] == ["first"]
    assert "none.png" in collection.left_out[0]["error"]
    for wrong in (dict(crop="x"), dict(seeds="all"), dict(channels="cmyk"), dict(shard="3/2"), dict(engine="slurm")):
        with pytest.raises(ValueError, match=str(list(wrong)[0])):
            afterimage.collect(pictures, tmp_path / "wrong", **wrong, **SETTINGS)
    with pytest.raises(FileNotFoundError):
        afterimage.Collection(tmp_path / "wrong")


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_ctrl_c_stops_and_what_is_done_stays(pictures, tmp_path):
    settings = {**SETTINGS, "epochs": 1000}
    journal = tmp_path / "out" / "unfinished.bin"

    def interrupt():
        while not (journal.exists() and journal.stat().st_size > 0):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    # A shell's background jobs ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        afterimage.collect(pictures, tmp_path / "out", **settings)
    assert journal.stat().st_size > 0


def ray_workers(marker):
    """Processes of the cluster that run a task."""
    for folder in pathlib.Path("/proc").iterdir():
        try:
            is_ours = marker.encode() in (folder / "environ").read_bytes()
            if is_ours and (folder / "cmdline").read_bytes().startswith(b"ray::train_shard"):
                yield int(folder.name)
        except OSError:
            continue


@pytest.mark.skipif(sys.platform != "linux", reason="finds a worker in /proc")
@pytest.mark.filterwarnings("default")
def test_a_ray_cluster_that_loses_a_worker_loses_no_network(pictures, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    settings = {**SETTINGS, "epochs": 2000}
    here = afterimage.collect(pictures, tmp_path / "here", **settings)
    marker = f"afterimage-{uuid.uuid4()}"
    monkeypatch.setenv("AFTERIMAGE_TEST_CLUSTER", marker)
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    killed = []

    def kill():
        while not killed:
            for worker in ray_workers(marker):
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)
                break
            time.sleep(0.01)

    try:
        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        there = afterimage.collect(pictures, tmp_path / "there", engine="ray", per_task=3, **settings)
        killer.join(timeout=10)
        assert killed, "no worker was lost"
        # A second time there is nothing to do.
        afterimage.collect(pictures, tmp_path / "there", engine="ray", per_task=3, **settings)
    finally:
        ray.shutdown()
    one, other = by_name(here), by_name(there)
    assert len(there) == 12 and one.keys() == other.keys(), "each picture once"
    assert all(one[name][0] == other[name][0] and same(one[name][1], other[name][1]) for name in one)
    assert len(list((tmp_path / "there").iterdir())) == 4
