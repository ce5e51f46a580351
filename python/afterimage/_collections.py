"""Collections of networks: one for each of many pictures."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import typing
import warnings
from collections.abc import Sequence

from . import _afterimage

if typing.TYPE_CHECKING:
    import numpy as np

    Path = typing.Union[str, os.PathLike[str]]
    Network = tuple[dict[str, np.ndarray], int]


def collect(
    pictures: Path,
    out: Path,
    preset: str | None = None,
    *,
    engine: typing.Literal["ray"] | None = None,
    **options: typing.Any,
) -> Collection:
    """Trains a network for each picture of a folder, a list or a tar archive, and returns the `Collection`.

    pictures: a folder with pictures in it or below it, a text with a path a line (and after a tab a label), or a tar
        archive.
    out: the collection's folder. What is done there is not done again.
    engine: None trains on this machine, a network a core; "ray" on a Ray cluster, with the options of `ray_options`:
        address, per_task, retries.
    options: those of `afterimage collect` with underscores (shard, crop, channels, seeds, per_file, config, backend),
        progress as for `fit`, and every setting of `settings()`.

    Pictures that cannot be used are left out, with a UserWarning; their rows say why.
    """
    if engine is None:
        _afterimage.collect(os.fspath(pictures), os.fspath(out), preset, **options)
    elif engine == "ray":
        from . import _ray

        _ray.collect(os.fspath(pictures), os.fspath(out), preset, **options)
    else:
        raise ValueError(f"engine is {engine!r}: give None or \"ray\"")
    collection = Collection(out)
    left_out = len(collection.left_out)
    if left_out:
        warnings.warn(f"{left_out} pictures are left out: the rows in left_out say why", UserWarning, stacklevel=2)
    return collection


class Collection(Sequence):
    """The networks of a collection, in whichever files and shards they are: also a dataset for PyTorch's DataLoader.

    collection[i] is a network's weights by name and the number of its label among `labels` (-1 without one).
    """

    def __init__(self, folder: Path) -> None:
        #: What the index says of each network: picture, label, psnr, file and row.
        self.rows: list[dict[str, typing.Any]] = []
        #: The same of pictures without a network, with the error.
        self.left_out: list[dict[str, typing.Any]] = []
        indices = sorted(pathlib.Path(folder).rglob("index.jsonl"))
        if not indices:
            raise FileNotFoundError(f"{folder} has no index.jsonl in it or below it: it is no collection")
        for index in indices:
            for row in map(json.loads, index.read_text(encoding="utf-8").splitlines()):
                row["psnr"] = float(row.get("psnr", "nan"))
                if "file" in row:
                    row["file"] = str(index.parent / row["file"])
                    self.rows.append(row)
                else:
                    self.left_out.append(row)
        #: The labels of all networks, sorted.
        self.labels = sorted({row["label"] for row in self.rows if row["label"] is not None})
        self._number = {label: number for number, label in enumerate(self.labels)}

    def __len__(self) -> int:
        return len(self.rows)

    @typing.overload
    def __getitem__(self, i: int) -> Network: ...
    @typing.overload
    def __getitem__(self, i: slice) -> list[Network]: ...
    def __getitem__(self, i):
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        row = self.rows[i]
        return self.weights(i), self._number.get(row["label"], -1)

    def weights(self, i: int) -> dict[str, np.ndarray]:
        """The weights of network i by name, as in `torch.nn.Linear`."""
        import numpy as np

        row = self.rows[i]
        return {name: np.array(values[row["row"]]) for name, values in _file(row["file"])[1].items()}

    def model(self, i: int) -> _afterimage.Model:
        """Network i as a model."""
        metadata = dict(_file(self.rows[i]["file"])[0], format="afterimage model 1")
        del metadata["index"]
        metadata["psnr_train"] = str(self.rows[i]["psnr"])
        header, data = {"__metadata__": metadata}, b""
        for name, values in self.weights(i).items():
            start = len(data)
            data += values.tobytes()
            header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [start, len(data)]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        return _afterimage.restore(len(text).to_bytes(8, "little") + text + data, [], "auto", (True, [], None, None))

    def __repr__(self) -> str:
        return f"<Collection of {len(self)} networks, {len(self.labels)} labels>"


@functools.lru_cache(maxsize=64)
def _file(path):
    """The metadata of a file of networks, and its tensors, which stay on the disk until they are used."""
    import numpy as np

    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        offset = 8 + length + entry["data_offsets"][0]
        tensors[name] = np.memmap(path, np.dtype("<f4"), "r", offset=offset, shape=tuple(entry["shape"]))
    return metadata, tensors
