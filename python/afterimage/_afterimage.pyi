import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Optional, Protocol, Union

import numpy as np
import numpy.typing as npt

class _Array(Protocol):
    """A torch tensor on the CPU, Pillow's picture, or anything else that NumPy reads."""

    def __array__(self) -> npt.NDArray[Any]: ...

Picture = Union[str, os.PathLike[str], npt.NDArray[Any], _Array]
Setting = Union[str, int, float, os.PathLike[str], Sequence[Union[str, float]], None]
Backend = Literal["auto", "cpu", "gpu"]

__version__: str

class Epoch:
    """What a callback gets before the first epoch and after each."""

    epoch: int
    step: int
    seconds: float
    lr: float
    loss: Optional[float]
    psnr_train: Optional[float]
    psnr_test: Optional[float]
    picture: Optional[npt.NDArray[Any]]

def count_pictures(pictures: Union[str, os.PathLike[str]]) -> int:
    """The number of pictures in a folder, a list or a tar archive."""

def collect(
    pictures: Union[str, os.PathLike[str]],
    out: Union[str, os.PathLike[str]],
    preset: Optional[str] = None,
    *,
    shard: Optional[str] = None,
    crop: Union[int, str, None] = None,
    channels: Optional[Literal["rgb", "own"]] = None,
    seeds: Optional[Literal["same", "each"]] = None,
    per_file: Optional[int] = None,
    backend: Backend = "auto",
    progress: Any = None,
    config: Union[str, os.PathLike[str], None] = None,
    **settings: Setting,
) -> int:
    """Makes or continues a collection, and returns how many of its pictures have no network."""

class Model:
    """A trained network: a function from positions to colours."""

    def render(
        self,
        height: Optional[int] = None,
        width: Optional[int] = None,
        crop: Optional[tuple[int, int, int, int]] = None,
        *,
        dtype: Optional[npt.DTypeLike] = None,
        backend: Optional[Backend] = None,
    ) -> npt.NDArray[Any]:
        """The network's picture as an array (height, width) or (height, width, channels).

        Without height or width that one follows from the other, and without both the picture has the size that was
        trained on. `crop` is (x, y, width, height) in pixels of the whole. `dtype` is uint8, uint16 or float32, by
        default that of the picture.
        """

    def coords(self, height: Optional[int] = None, width: Optional[int] = None) -> npt.NDArray[np.float32]:
        """Positions of the pixels of a picture of this size, row by row: (height * width, 2), x and y of each."""

    def __call__(self, coords: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The network's values at positions (n, 2): (n, channels), not cut off at black and white.

        Computed on the CPU. At the positions of pixels they are the same to the bit as a picture's.
        """

    def gradient(self, coords: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The derivatives of each channel by x and y at positions (n, 2): (n, channels, 2).

        Exact, by forward mode in 64-bit floats on the CPU.
        """

    def psnr(self, image: Optional[Picture] = None, *, backend: Optional[Backend] = None) -> float:
        """PSNR in dB against a picture; without one, that of the training pixels at the end of training."""

    def ssim(self, image: Optional[Picture] = None, *, backend: Optional[Backend] = None) -> float:
        """SSIM against a picture, by default the one that was trained on."""

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes the model file (safetensors) that `load` and the command read."""

    def state_dict(self) -> dict[str, npt.NDArray[np.float32]]:
        """The weights by name, as in the model file and in `torch.nn.Linear`."""

    @property
    def history(self) -> dict[str, npt.NDArray[Any]]:
        """What was measured after each epoch: epoch, step, seconds, lr, loss, psnr_train and psnr_test."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the picture that was trained on."""

    @property
    def n_params(self) -> int:
        """Number of trained weights."""

    @property
    def config(self) -> str:
        """Every setting as TOML; written to a file, `fit(image, config=file)` repeats the run to the bit."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the model file says beside the weights."""

    @property
    def complete(self) -> bool:
        """Whether every epoch was trained."""

    @property
    def failure(self) -> Optional[str]:
        """Why the network has learned too little, if so."""

    @property
    def notes(self) -> list[str]:
        """What was done that one might not expect, a sentence each."""

    @property
    def device(self) -> Optional[str]:
        """The device that it was trained on."""

    @property
    def curve(self) -> Optional[str]:
        """PSNR over the epochs as an SVG document."""

    def _repr_png_(self) -> bytes: ...
    def _repr_html_(self) -> str: ...

def fit(
    image: Picture,
    preset: Optional[str] = None,
    *,
    mask: Optional[Picture] = None,
    backend: Backend = "auto",
    callback: Optional[Callable[[Epoch], Optional[bool]]] = None,
    seconds: Optional[float] = None,
    progress: Union[bool, None, Callable[..., Any]] = None,
    config: Union[str, os.PathLike[str], None] = None,
    linear: bool = False,
    **settings: Setting,
) -> Model:
    """Trains a network on a picture.

    image: a path; an array (height, width) or (height, width, channels) of uint8, uint16 or floats from 0 to 1, or
        what becomes one; or Pillow's picture.
    preset: one of `presets()`; `config` is a TOML file instead, such as that of an earlier run. Settings win.
    mask: a picture of the same shape, white (or True) where the network is trained.
    backend: where to train.
    callback: called before the first epoch and after each; training stops if it returns False.
    seconds: trains about this long: as many epochs as fit, found out by a short trial.
    progress: whether to show a progress bar, by default where someone may watch; or what is called like tqdm.
    linear: floats are in linear light, of any range.
    settings: any of `settings()`, as options of `afterimage train` with underscores.

    Ctrl-C stops training and raises KeyboardInterrupt, whose attribute `model` has the network so far.
    """

def load(path: Union[str, os.PathLike[str]], *, backend: Backend = "auto") -> Model:
    """Reads a model file, the folder of a run of the command, or a checkpoint in it."""

def presets() -> list[str]:
    """The names of all presets."""

def settings() -> list[str]:
    """The names of all settings that `fit` takes."""

def restore(*parts: Any) -> Model: ...
def main(args: Sequence[str]) -> int: ...
