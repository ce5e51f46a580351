"""What a picture may be given as."""

import os


def source(image):
    """("path", a path), ("bytes", a file's bytes) or ("array", an array stored row by row)."""
    if isinstance(image, (str, os.PathLike)):
        return "path", os.fspath(image)
    # Asked for by name, so that Pillow is not needed.
    if any(kind.__module__ == "PIL.Image" for kind in type(image).__mro__):
        return "bytes", _file_of(image)
    import numpy as np

    if not hasattr(image, "__array__") and hasattr(image, "__dlpack__"):
        image = np.from_dlpack(image)
    array = np.asarray(image)
    if array.dtype == object:
        raise TypeError(f"a {type(image).__name__} is no picture: give a path, an array, or Pillow's picture")
    # In this machine's order of bytes.
    return "array", np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


# Pillow's modes that PNG holds as they are, and those that TIFF does.
_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_TIFF = ("F", "CMYK")


def _file_of(image):
    """A picture of Pillow's as a file, which has its palette, its colour profile and its depth."""
    import io

    file = io.BytesIO()
    if image.mode == "I":
        # Of 32 bits, but of files of 16 bits.
        lowest, highest = image.getextrema()
        if 0 <= lowest and highest < 2**16:
            image = image.convert("I;16")
    profile = image.info.get("icc_profile")
    if image.mode in _PNG:
        # Without its EXIF, by whose orientation Pillow has not turned it.
        image.save(file, "PNG", compress_level=1, icc_profile=profile, exif=b"")
    elif image.mode in _TIFF:
        image.save(file, "TIFF", icc_profile=profile)
    else:
        raise ValueError(f'pictures of the mode {image.mode} are not read: give image.convert("RGB")')
    return file.getvalue()
