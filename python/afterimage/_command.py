"""The `afterimage` command."""

import signal
import sys

from ._environment import prepare


def main() -> None:
    # The program handles Ctrl-C itself, and only where nobody has said otherwise: Python has by now.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    prepare()
    try:
        from ._afterimage import main as run
    except ImportError:
        sys.exit("this build of the package has no command: build it with the feature `cli`")
    sys.exit(run(["afterimage", *sys.argv[1:]]))
