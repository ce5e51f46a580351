import os
import pathlib

import numpy as np
import pytest

ASSETS = pathlib.Path(__file__).parents[2] / "assets"


@pytest.fixture(scope="session")
def portrait():
    return ASSETS / "astronaut.png"


@pytest.fixture(scope="session")
def picture():
    """A disc on a ramp, 40 x 56 pixels."""
    y, x = np.mgrid[0:40, 0:56]
    disc = np.hypot(x - 20, y - 18) < 12
    ramp = np.stack([4 * x, 6 * y, np.full_like(x, 90)], axis=-1)
    return np.where(disc[..., None], np.array([220, 60, 40]), ramp).astype(np.uint8)


@pytest.fixture(scope="session")
def model(picture):
    import afterimage

    return afterimage.fit(picture, "fast", epochs=40, backend="cpu")


# Measurements of devices stay where the other tests have theirs.
os.environ.setdefault("AFTERIMAGE_CACHE", str(pathlib.Path(__file__).parents[2] / "target" / "afterimage-cache"))
