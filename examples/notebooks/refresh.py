"""Execute the notebooks beside this file, and save them with what they showed: python examples/notebooks/refresh.py

What is saved is small, and the same each time as far as it can be: a picture once, as SVG where there is one; no times;
nothing of cells with the tag `not-saved`. tests/examples/test_notebooks.py executes them in the same way.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
ROOT = f"{HERE.parents[1]}/"
"""What paths begin with that are nobody else's; it is left out of what is saved."""
SECONDS = 60
"""For one cell."""
LONGEST = 2000
"""Characters of a text that stands beside a picture."""


def executed(path: Path, folder: Path) -> Any:
    """The notebook as it is after a run in a fresh kernel, with `folder` as its directory.

    Raises nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=where).execute()
    return notebook


def tidied(notebook: Any) -> Any:
    """The same without what differs from run to run or is there twice; changed in place."""
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            saved = "not-saved" not in cell.metadata.get("tags", [])
            cell.outputs = [_small(output) for output in cell.outputs] if saved else []
    return notebook


def _small(output: Any) -> Any:
    """One output: its text, and its picture or its HTML; paths as seen from the project's directory."""
    if "data" in output:
        shown = next((kind for kind in ("image/svg+xml", "text/html") if kind in output.data), None)
        text = output.data["text/plain"]
        kept = {"text/plain": text if len(text) <= LONGEST else text[:LONGEST] + "..."}
        kept |= {shown: output.data[shown]} if shown else {}
        output.data = {kind: said.replace(ROOT, "") for kind, said in kept.items()}
        output.metadata = {}
    return output


def main() -> None:
    """All notebooks, or those whose names are given."""
    wanted = sys.argv[1:]
    for path in sorted(HERE.glob("*.ipynb")):
        if not wanted or path.name in wanted:
            with tempfile.TemporaryDirectory() as folder:
                notebook = tidied(executed(path, Path(folder)))
            nbformat.write(notebook, path)
            print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
