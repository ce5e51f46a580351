"""What a model does."""

import base64
import io
import pathlib
import pickle
import re
import subprocess
import sys

import afterimage
import numpy as np
import pytest
from PIL import Image


def test_pictures_have_the_size_asked_for(model):
    own = model.render()
    assert own.shape == (40, 56, 3) == model.shape and own.dtype == np.uint8
    assert model.render(80).shape == (80, 112, 3) == model.render(width=112).shape
    assert model.render(7, 90).shape == (7, 90, 3)
    whole = model.render(400, 560)
    assert np.array_equal(model.render(400, 560, (37, 91, 200, 100)), whole[91:191, 37:237])
    deep, real = model.render(dtype="uint16"), model.render(dtype=np.float32)
    assert deep.dtype == np.uint16 and real.dtype == np.float32 and 0 <= real.min() and real.max() <= 1
    # Each is rounded from the same values.
    assert np.array_equal(np.floor(real.astype(float) * 255 + 0.5), own)


@pytest.mark.parametrize("args, sentence", [
    (dict(height=0), "height is 0"),
    (dict(height=4, width=4, crop=(0, 0, 5, 1)), "extends beyond the picture"),
    (dict(crop=(0, 0, 0, 1)), "a crop is"),
    (dict(dtype="int8"), "dtype is int8: give uint8"),
    (dict(height=2**25, width=1), "is too large"),
    (dict(backend="tpu"), "backend: "),
    (dict(height=100_000, width=100_000, dtype="float32"), "GiB are free: give a crop"),
])
def test_impossible_pictures_are_refused(model, args, sentence):
    with pytest.raises((ValueError, MemoryError), match=sentence):
        model.render(**args)


def test_positions_have_their_pixels_colours(model):
    coords = model.coords()
    assert coords.shape == (40 * 56, 2) and np.allclose(coords[0], 0.5 / 56) and np.allclose(coords[-1], [55.5 / 56, 39.5 / 56])
    values = model(coords)
    assert np.array_equal(np.clip(values, 0, 1).reshape(40, 56, 3), model.render(dtype="float32"))
    # The same alone.
    assert np.array_equal(model(coords[777:778])[0], values[777])
    assert model(np.zeros((0, 2))).shape == (0, 3) and model.coords(3, 5).shape == (15, 2)
    for wrong in (np.zeros(2), np.zeros((4, 3))):
        with pytest.raises(ValueError, match=r"give \(n, 2\)"):
            model(wrong)


@pytest.mark.parametrize("settings", [dict(encoding="gaussian", activation="gelu"), dict(linear=True, hdr_curve="log")])
def test_gradients_are_those_of_finite_differences(picture, settings):
    image = picture.astype(np.float32) / 100 if settings.get("linear") else picture
    smooth = dict(encoding="gaussian", sigma=2, activation="silu", epochs=20, backend="cpu")
    model = afterimage.fit(image, **{**smooth, **settings})
    coords = model.coords()[::101]
    exact = model.gradient(coords)
    assert exact.shape == (len(coords), 3, 2) and exact.dtype == np.float64
    # Of values in f32: their rounding of 1e-7 a step h apart, and h^2 / 6 times the third derivative, that of waves of
    # a few cycles.
    h = 2e-3
    for axis in range(2):
        step = np.zeros(2)
        step[axis] = h
        after, before = coords + step, coords - step
        found = (model(after) - model(before)) / (after.astype(np.float32) - before.astype(np.float32))[:, axis, None]
        assert np.abs(found - exact[..., axis]).max() < 0.01 * np.abs(exact).max()


def test_saved_and_pickled_models_are_the_same(model, tmp_path, picture):
    model.save(tmp_path / "a.safetensors")
    loaded, copied = afterimage.load(tmp_path / "a.safetensors"), pickle.loads(pickle.dumps(model))
    for other in (loaded, copied):
        assert np.array_equal(other.render(100), model.render(100)) and other.psnr() == model.psnr()
        assert other.ssim(picture) == model.ssim(picture) == model.ssim()
        assert list(other.state_dict()) == list(model.state_dict()) and other.config == model.config
        with pytest.raises(ValueError, match="has no picture to compare with: give it"):
            other.ssim()
    assert copied.curve == model.curve and loaded.curve is None and repr(copied) == repr(model)
    with pytest.raises(FileNotFoundError, match="cannot write"):
        model.save(tmp_path / "none" / "a.safetensors")
    with pytest.raises(FileNotFoundError, match="cannot read"):
        afterimage.load(tmp_path / "b.safetensors")
    (tmp_path / "c.safetensors").write_bytes(b"no model")
    with pytest.raises(ValueError, match="is not a usable model file"):
        afterimage.load(tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match="give the picture it was trained on"):
        model.psnr(picture[:5])


def test_measurements_are_those_of_the_picture(model, picture):
    exact = model.render(dtype="float32").astype(float)
    mse = np.mean((exact - picture.astype(np.float32) / 255) ** 2)
    assert abs(model.psnr(picture) - -10 * np.log10(mse)) < 1e-4
    assert model.psnr() == model.history["psnr_train"][-1] and model.psnr() > 25
    assert 0.8 < model.ssim() < 1


def test_a_notebook_shows_picture_and_curve(model):
    png = model._repr_png_()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), model.render())
    html = model._repr_html_()
    pictures = re.findall(r'src="data:image/([a-z+]+);base64,([^"]+)"', html)
    assert [kind for kind, _ in pictures] == ["png", "svg+xml"]
    assert base64.b64decode(pictures[0][1]) == png and model.curve.startswith("<svg")
    assert f"{model.psnr():.2f} dB" in html


def test_history_is_a_table(model):
    history = model.history
    assert list(history) == ["epoch", "step", "seconds", "lr", "loss", "psnr_train", "psnr_test"]
    assert history["epoch"][-1] == 40 and len({len(column) for column in history.values()}) == 1


def test_weights_are_the_functions(picture):
    """The dozen lines of the README, in NumPy: products of a few hundred f32 differ by their rounding."""
    model = afterimage.fit(picture, encoding="gaussian", output_activation="sigmoid", epochs=3, backend="cpu")
    w = model.state_dict()
    turns = model.coords() @ w["encoding.frequencies"].T
    h = np.concatenate([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], axis=-1)
    for i in range(3):
        h = np.maximum(h @ w[f"layers.{i}.weight"].T + w[f"layers.{i}.bias"], 0)
    values = 1 / (1 + np.exp(-(h @ w["layers.3.weight"].T + w["layers.3.bias"])))
    assert np.abs(values - model(model.coords())).max() < 1e-4


def test_importing_takes_no_time():
    program = "import time; t = time.perf_counter(); import afterimage, numpy; print(time.perf_counter() - t)"
    seconds = [
        float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)
        for _ in range(5)
    ]
    assert min(seconds) < 0.3, seconds


def test_the_package_says_its_types():
    folder = pathlib.Path(afterimage.__file__).parent
    assert (folder / "py.typed").exists()
    stubs = (folder / "_afterimage.pyi").read_text()
    public = [name for name in dir(afterimage.Model) if not name.startswith("__")]
    # What is written in Python says its own.
    native = [name for name in afterimage.__all__ if name != "Collection"]
    missing = [name for name in [*native, *public] if not re.search(rf"\b{name}\b", stubs)]
    assert not missing
    for function in [afterimage.collect, afterimage.Collection.weights, afterimage.Collection.model]:
        assert "return" in function.__annotations__


@pytest.mark.parametrize("args, code, said", [
    (["--version"], 0, f"afterimage {afterimage.__version__}"),
    (["train", "nowhere.png", "--out", "x"], 1, "cannot read nowhere.png"),
    (["train", "--hiden"], 2, "--hidden"),
])
def test_the_command_is_there(args, code, said, tmp_path):
    done = subprocess.run([sys.executable, "-m", "afterimage", *args], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == code and said in done.stdout + done.stderr
