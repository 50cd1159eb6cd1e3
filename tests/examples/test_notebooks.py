"""The notebooks run in a fresh kernel, say what is saved in them, and are made as a student and marimo need them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

INSTALL = "pip install 'm4alloc[notebook]'"
nbformat = pytest.importorskip("nbformat", reason=INSTALL)
pytest.importorskip("nbclient", reason=INSTALL)
pytest.importorskip("ipykernel", reason=INSTALL)

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
LARGEST = 150_000
"""Bytes of a notebook with its outputs."""

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def _code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _said(output: Any) -> tuple[str, ...]:
    """An output as what is the same in each run: kinds of what is shown; what is only said, without addresses."""
    if output.output_type == "stream":
        return (output.text,)
    shown = tuple(sorted(output.data))
    text = re.sub(r"0x[0-9a-f]{6,}", "0x...", output.data["text/plain"])
    return (*shown, text) if shown == ("text/plain",) else shown


@pytest.mark.slow
@each
@pytest.mark.timeout(120)
def test_a_notebook_runs_and_says_what_is_saved_in_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from examples.notebooks.refresh import executed, tidied

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    run = tidied(executed(path, tmp_path))  # an error in a cell is raised
    for saved, now in zip(_code(_read(path)), _code(run), strict=True):
        stale = f"{saved.id}: run examples/notebooks/refresh.py"
        assert [*map(_said, now.outputs)] == [*map(_said, saved.outputs)], stale


@each
def test_a_notebook_is_valid_small_and_has_stable_ids(path: Path) -> None:
    notebook = _read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    name = path.stem.partition("_")[2].replace("_", "-")
    assert [cell.id for cell in notebook.cells] == [f"{name}-{n:02}" for n in range(1, len(notebook.cells) + 1)]
    text = path.read_text("utf-8")
    assert len(text) <= LARGEST
    assert str(ROOT) not in text


@each
def test_a_notebook_explains_before_each_cell_and_ends_with_exercises(path: Path) -> None:
    notebook = _read(path)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds == ["markdown", "code"] * (len(kinds) // 2) + ["markdown"]
    assert notebook.cells[0].source.startswith("# ")
    assert "## Exercises\n\n1. " in notebook.cells[-1].source
    assert all(len(cell.source.splitlines()) <= 30 for cell in notebook.cells)
    assert max(len(line) for cell in _code(notebook) for line in cell.source.splitlines()) <= 100  # JupyterLab's width
    links = re.findall(r"\[[^\]]+\]\(([^)#:]+)\)", "\n".join(cell.source for cell in notebook.cells))
    assert links
    assert all((path.parent / link).exists() for link in links)


@each
def test_the_site_shows_a_notebook_with_its_pictures(path: Path) -> None:
    from capability.picture import CARD
    from docs.machinery.notebook import text

    notebook, page = _read(path), text(path)
    assert all(cell.source in page for cell in notebook.cells[1:])
    outputs = [output for cell in _code(notebook) for output in cell.outputs]
    drawn = [output for output in outputs if len(output.get("data", {})) > 1]
    assert page.count("``````{raw} html") == len(drawn)
    assert page.count("``````text") == len(outputs) - len(drawn)
    assert "<svg" in page
    assert CARD not in page


def _defined(source: str) -> set[str]:
    """The names that a cell gives a value, outside its functions and classes."""
    found = set()
    todo: list[ast.AST] = [ast.parse(source)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(name.asname or name.name).partition(".")[0] for name in node.names}
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            todo += ast.iter_child_nodes(node)
    return found


@each
def test_no_two_cells_define_one_name_as_marimo_demands(path: Path) -> None:
    names = [name for cell in _code(_read(path)) for name in _defined(cell.source)]
    assert sorted(names) == sorted(set(names))


@each
@pytest.mark.campaign
def test_a_notebook_runs_when_marimo_has_converted_it(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("marimo", reason="pip install marimo")
    target = tmp_path / f"{path.stem}.py"
    convert = [sys.executable, "-m", "marimo", "convert", str(path), "-o", str(target)]
    subprocess.run(convert, check=True, timeout=120, capture_output=True)
    subprocess.run([sys.executable, "-m", "marimo", "check", str(target)], check=True, timeout=120)
    run = subprocess.run([sys.executable, str(target)], cwd=tmp_path, timeout=300, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
