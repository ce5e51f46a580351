"""What `fit` takes, and what it makes of it."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import afterimage
import numpy as np
import pytest
from PIL import Image

QUICK = dict(preset="fast", epochs=3, backend="cpu")


def fit(image, **settings):
    return afterimage.fit(image, **{**QUICK, **settings})


def params(model):
    return np.concatenate([values.ravel() for values in model.state_dict().values()])


def command(*args):
    """The command that the wheel brings."""
    name = "afterimage.exe" if os.name == "nt" else "afterimage"
    return [str(pathlib.Path(sys.executable).parent / name), *map(str, args)]


@pytest.mark.parametrize("settings", [
    {"preset": "fast", "size": 48, "epochs": 4},
    {"encoding": "gaussian", "size": "40x32", "epochs": 3, "holdout": "every-other", "keep": "best"},
    {"encoding": "hash-grid", "also": "none", "size": 32, "epochs": 3, "ema": 0.9, "sampling": "error"},
], ids=["preset", "held-out", "averaged"])
def test_the_model_is_the_commands_to_the_bit(portrait, tmp_path, settings):
    options = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    train = command("train", portrait, "--out", tmp_path / "run", "--backend", "cpu", "--quiet", *options)
    subprocess.run(train, check=True)
    model = afterimage.fit(portrait, backend="cpu", **settings)
    model.save(tmp_path / "model.safetensors")
    # With every weight, and the configuration and PSNR beside them.
    assert (tmp_path / "model.safetensors").read_bytes() == (tmp_path / "run" / "model.safetensors").read_bytes()
    assert np.array_equal(model.render(), np.asarray(Image.open(tmp_path / "run" / "final.png")))
    report = json.loads(subprocess.run(
        command("eval", tmp_path / "run", portrait, "--json", "--backend", "cpu"),
        check=True, capture_output=True, text=True,
    ).stdout)
    assert model.psnr(portrait) == report["psnr"] and model.ssim() == report["ssim"]
    loaded = afterimage.load(tmp_path / "run")
    assert np.array_equal(loaded.history["psnr_train"], model.history["psnr_train"], equal_nan=True)
    # What a run wrote repeats it.
    again = afterimage.fit(portrait, config=tmp_path / "run" / "config.toml", backend="cpu")
    assert np.array_equal(params(again), params(model))


def test_a_picture_is_the_same_however_it_is_given(picture, tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(picture).save(path)
    expected = params(fit(path))

    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return picture

    others = {
        "text": str(path),
        "array": picture,
        "rows apart": np.repeat(picture, 2, axis=0)[::2],
        "Fortran": np.asfortranarray(picture),
        "Pillow": Image.fromarray(picture),
        "tensor": Tensor(),
        # A sixteenth bit more, of the same values.
        "16 bits": picture.astype(np.uint16) * 257,
        "floats": picture.astype(np.float32) / 255,
        "doubles": picture / 255,
        "big-endian": (picture.astype(np.uint16) * 257).astype(">u2"),
    }
    for name, image in others.items():
        assert np.array_equal(params(fit(image)), expected), name


def test_pillows_modes_are_what_their_files_are(picture, tmp_path):
    image = Image.fromarray(picture)
    palette = image.quantize(7)
    alpha = image.copy()
    alpha.putalpha(Image.fromarray(picture[..., 0]))
    deep = Image.fromarray(picture[..., 0].astype(np.uint16) * 200)
    assert np.array_equal(params(fit(deep.convert("I"))), params(fit(deep)))
    for name, image in {"P": palette, "RGBA": alpha, "L": image.convert("L"), "1": image.convert("1"), "16": deep}.items():
        path = tmp_path / f"{name}.png"
        image.save(path)
        assert np.array_equal(params(fit(path)), params(fit(image))), name
    with pytest.raises(ValueError, match=r'HSV are not read: give image.convert\("RGB"\)'):
        fit(Image.fromarray(picture).convert("HSV"))


def test_pictures_come_back_as_they_were(picture):
    for image in [picture, picture[..., 0], picture.astype(np.uint16) * 257, picture.astype(np.float32) / 255]:
        made = fit(image).render()
        assert made.dtype == image.dtype and made.shape == image.shape
    light = picture.astype(np.float32) * 3
    model = fit(light, linear=True, epochs=60)
    made = model.render()
    assert made.dtype == np.float32 and made.max() > 255 and "linear light" in model.notes[0]
    with pytest.raises(ValueError, match="linear light gives float32"):
        model.render(dtype="uint8")
    # Beside a coordinate, its colour.
    assert np.array_equal(model(model.coords()).reshape(light.shape), made)


def test_settings_are_those_of_the_command(picture):
    model = fit(picture, encoding="gaussian", features=np.int64(24), lr=np.float32(0.25), also=["none"], hidden=None,
                channel_weights=[1, 1, 0.5], preset=None)
    assert "kind = \"gaussian\"" in model.config and "features = 24" in model.config and "lr = 0.25" in model.config
    assert model.state_dict()["encoding.frequencies"].shape == (24, 2)
    assert len(afterimage.settings()) > 50 and "fast" in afterimage.presets()
    with pytest.warns(UserWarning, match="sigma has no effect"):
        fit(picture, sigma=3)


def test_a_mask_leaves_out_what_it_hides(picture, tmp_path):
    known = np.ones(picture.shape[:2], bool)
    known[10:20, 10:20] = False
    damaged = np.where(known[..., None], picture, 255)
    Image.fromarray(known).save(tmp_path / "mask.png")
    masks = [known, known.astype(np.uint8), known.astype(np.uint8) * 255, Image.fromarray(known), tmp_path / "mask.png"]
    made = [params(fit(damaged, mask=mask)) for mask in masks]
    assert all(np.array_equal(weights, made[0]) for weights in made)
    # Whatever is hidden.
    assert np.array_equal(params(fit(np.where(known[..., None], picture, 0), mask=known)), made[0])
    assert not np.array_equal(params(fit(damaged)), made[0])
    with pytest.raises(ValueError, match="not the shape of the picture"):
        fit(damaged, mask=np.ones((7, 90), bool))


@pytest.mark.parametrize("image, settings, error, sentence", [
    ("nowhere.png", {}, FileNotFoundError, "cannot read nowhere.png: "),
    (__file__, {}, ValueError, "is not a picture that can be read"),
    (np.zeros((3, 64, 64), np.uint8), {}, ValueError, r"channels come last here: numpy.moveaxis\(image, 0, -1\)"),
    (np.zeros((4, 4, 5), np.uint8), {}, ValueError, r"shape \[4, 4, 5\] is no picture"),
    (np.zeros((0, 4), np.uint8), {}, ValueError, "is no picture"),
    (np.zeros((4, 4), np.int64), {}, TypeError, "an array of int64 is no picture: give uint8"),
    (np.full((4, 4), 1.5), {}, ValueError, "has the value 1.5: give floats from 0 to 1, or linear=True"),
    (np.full((4, 4), np.nan), {}, ValueError, "has the value NaN"),
    (np.full((4, 4), np.inf), {"linear": True}, ValueError, "not finite"),
    (object(), {}, TypeError, "a object is no picture"),
    (None, {"hiden": 3}, ValueError, "`hiden` is no setting: did you mean `hidden`?"),
    (None, {"file": "x.png"}, ValueError, "fit's first argument is the picture"),
    (None, {"hidden": "many"}, ValueError, "hidden: .* a whole number, 0 or more"),
    (None, {"hidden": 0}, ValueError, "hidden is 0: give a width"),
    (None, {"hidden": {}.keys}, TypeError, "hidden is a builtin_function_or_method: give a number"),
    (None, {"seed": 2**70}, ValueError, "give a number below 2"),
    (None, {"encoding": "fourrier"}, ValueError, "encoding: .*gaussian"),
    (None, {"preset": "quick"}, ValueError, "preset: `quick` is none of fast, "),
    (None, {"config": "x.toml"}, ValueError, "preset and config are both given"),
    (None, {"backend": "tpu"}, ValueError, "backend: "),
    (None, {"seconds": 3}, ValueError, "seconds chooses the number of epochs: leave out epochs"),
    (None, {"seconds": -1, "epochs": None}, ValueError, "seconds is -1: give a number above 0"),
    (None, {"adapter": "none such"}, RuntimeError, "--adapter"),
    (None, {"keep": "best"}, ValueError, "keep is best: only held-out pixels tell"),
    (None, {"progress": 3}, TypeError, "progress is 3: give True, False"),
])
def test_what_is_wrong_is_said(picture, image, settings, error, sentence):
    with pytest.raises(error, match=sentence):
        fit(picture if image is None else image, **settings)


def test_divergence_is_an_error_with_the_model_so_far(picture):
    with pytest.raises(RuntimeError, match="training diverged") as raised:
        fit(picture, preset=None, encoding="gaussian", optimizer="sgd", lr=1e4, schedule="constant",
            output_activation="identity")
    assert np.isfinite(params(raised.value.model)).all()


def test_a_network_that_learned_too_little_is_said(picture):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    with pytest.warns(RuntimeWarning) as warned:
        model = fit(noise, preset=None, encoding="gaussian", epochs=20, batch=64, hidden=2, layers=2)
    assert model.failure == str(warned[0].message) and model.complete


def test_callbacks_see_every_epoch_and_may_stop(picture):
    seen = []
    model = fit(picture, callback=seen.append, preset=None)
    assert [epoch.epoch for epoch in seen] == [0, 1, 2, 3] and seen[0].loss is None
    assert np.array_equal([epoch.psnr_train for epoch in seen], model.history["psnr_train"])
    assert np.array_equal(seen[-1].picture, model.render()) and model.complete
    stopped = fit(picture, callback=lambda epoch: epoch.epoch < 2, epochs=50, preset=None)
    assert not stopped.complete and stopped.history["epoch"][-1] == 2 and "stopped" in repr(stopped)

    def fail(epoch):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fit(picture, callback=fail)


def test_progress_is_shown_as_tqdm_does(picture):
    class Bar:
        made = []

        def __init__(self, total, **_):
            self.total, self.n, self.closed = total, 0, False
            self.made.append(self)

        def update(self, n):
            self.n += n

        def set_postfix_str(self, text, refresh):
            assert text.endswith(" dB") and not refresh

        def close(self):
            self.closed = True

    fit(picture, progress=Bar)
    (bar,) = Bar.made
    assert bar.n == bar.total > 0 and bar.closed
    fit(picture, progress=True)
    fit(picture, progress=False)


def test_a_time_is_kept_and_its_epochs_repeat_the_run(portrait):
    start = time.monotonic()
    model = afterimage.fit(portrait, "fast", seconds=3, backend="cpu", size=128)
    # A stopped run still measures its picture.
    assert time.monotonic() - start < 4
    epochs = int(model.metadata["epochs"])
    if model.complete:
        assert np.array_equal(params(afterimage.fit(portrait, "fast", epochs=epochs, backend="cpu", size=128)), params(model))
    with pytest.warns(RuntimeWarning, match="before its first step, so the network is untrained"):
        assert not afterimage.fit(portrait, "fast", seconds=1e-6, backend="cpu", size=64).complete


def test_other_threads_run_meanwhile(picture):
    ticks, done = [], threading.Event()

    def tick():
        while not done.wait(0.002):
            ticks.append(None)

    thread = threading.Thread(target=tick)
    thread.start()
    fit(picture, preset=None, epochs=100, measure_every=100, snapshot_every=100)
    done.set()
    thread.join()
    assert len(ticks) > 5


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_stops_and_keeps_the_model():
    program = """
import afterimage, numpy, os, signal, threading
# Shells let the programs that they run in the background ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    afterimage.fit(numpy.zeros((64, 64, 3), numpy.uint8) + numpy.arange(64, dtype=numpy.uint8)[:, None], epochs=10**6, backend="cpu")
except KeyboardInterrupt as stopped:
    assert not stopped.model.complete and stopped.model.render().shape == (64, 64, 3)
    print("kept")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("kept\n", "", 0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_ends_the_command_with_everything_written(portrait, tmp_path):
    train = subprocess.Popen(
        command("train", portrait, "--size", "48", "--epochs", "1000000", "--backend", "cpu", "--out", tmp_path / "run"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    begun = tmp_path / "run" / "epochs" / "00001.png"
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    train.send_signal(signal.SIGINT)
    said, _ = train.communicate(timeout=60)
    assert train.returncode == 130 and "Traceback" not in said, said
    assert afterimage.load(tmp_path / "run").psnr() > 5
