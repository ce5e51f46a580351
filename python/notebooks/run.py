"""Runs every notebook here, from the first cell to the last; each checks its own results.

    python run.py [--save]    # --save keeps the outputs in the files
"""

import pathlib
import sys
import time

import nbclient
import nbformat

FOLDER = pathlib.Path(__file__).parent
# In seconds, on two cores.
LIMIT = 300


def run(path: pathlib.Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    start = time.monotonic()
    # The kernel of this interpreter, which has the package, whatever others are installed.
    nbclient.NotebookClient(notebook, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": FOLDER}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    errors = [output.text for output in outputs if output.get("name") == "stderr"]
    if errors:
        sys.exit(f"{path.name} has warnings: {''.join(errors)}")
    if not any("image/png" in output.get("data", {}) for output in outputs):
        sys.exit(f"{path.name} shows no picture")
    print(f"{path.name}: {time.monotonic() - start:.0f} s")
    for output in outputs:
        print(output.get("text", ""), end="")
    if "--save" in sys.argv[1:]:
        # Without the times at which cells began and ended, and without second copies of pictures.
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        for output in outputs:
            output.get("data", {}).pop("image/jpeg", None)
        nbformat.write(notebook, path)


for path in sorted(FOLDER.glob("*.ipynb")):
    run(path)
