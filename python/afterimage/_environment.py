"""The environment of graphics drivers."""

import os
import sys


def prepare():
    """Quiets Mesa's device-select layer, which asks the desktop for its preferred GPU and complains if there is none.

    The library chooses for itself.
    """
    if sys.platform == "linux" and "XDG_RUNTIME_DIR" not in os.environ:
        os.environ.setdefault("NODEVICE_SELECT", "1")
