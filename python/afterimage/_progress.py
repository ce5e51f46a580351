"""Progress bars, by the conventions of tqdm."""

import sys


def maker(progress, unit=" steps"):
    """A function that makes a bar for a number of steps, or whatever the unit is, or None for no bar.

    None shows one if tqdm is there and someone may watch; True shows one; anything that is called like tqdm will do.
    """
    if progress is False or (progress is None and not _watched()):
        return None
    if progress is None or progress is True:
        try:
            from tqdm.auto import tqdm as make
        except ImportError:
            if progress is None:
                return None
            raise ImportError("progress=True shows tqdm's bar: pip install tqdm") from None
    elif callable(progress):
        make = progress
    else:
        raise TypeError(f"progress is {progress!r}: give True, False, or what is called like tqdm")
    return lambda n: make(total=n, unit=unit, unit_scale=True, dynamic_ncols=True)


def _watched():
    """Whether this is a terminal or a notebook."""
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
