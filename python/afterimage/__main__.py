"""python -m afterimage: the command."""

from ._command import main

main()
