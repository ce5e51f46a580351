"""The `afterimage` command."""

import os
import signal
import sys


def main() -> None:
    # The program handles Ctrl-C itself, and only where nobody has said otherwise: Python has by now.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Mesa's device-select layer asks the desktop for its preferred GPU and complains if there is no desktop.
    if sys.platform == "linux" and "XDG_RUNTIME_DIR" not in os.environ:
        os.environ["NODEVICE_SELECT"] = "1"
    try:
        from ._afterimage import main as run
    except ImportError:
        sys.exit("this build of the package has no command: build it with the feature `cli`")
    sys.exit(run(["afterimage", *sys.argv[1:]]))
