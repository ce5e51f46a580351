"""Coordinate networks (x, y) -> colour that memorise pictures, on any GPU or on the CPU.

    model = afterimage.fit("photo.jpg", "fast", seconds=10)
    picture = model.render(1024, 1024)

`fit` takes a path, an array of shape (height, width) or (height, width, channels), or Pillow's picture, and every
setting of the command line by its name: `afterimage.settings()` lists them, `afterimage train --help` explains them.
"""

from ._afterimage import Epoch, Model, __version__, fit, load, presets, settings
from ._collections import Collection, collect

__all__ = ["Collection", "Epoch", "Model", "__version__", "collect", "fit", "load", "presets", "settings"]
