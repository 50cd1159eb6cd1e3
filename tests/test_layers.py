"""The rule of the house: capability <- spec <- m4alloc, where an arrow reads "is imported by"."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "capability": {"capability"},
    "spec": {"capability", "spec"},
    "m4alloc": {"capability", "spec", "m4alloc"},
}
OURS = frozenset({*MAY_IMPORT, "tests", "benchmarks"})
FILES = [path for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]


def imported(source: str) -> Iterator[str]:
    """Top-level names of the modules that the source imports, at any depth, for types only included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in {"import_module", "__import__"}:
                yield str(node.args[0].value).partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_its_own_layer_and_those_below(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    assert set(imported(path.read_text(encoding="utf-8"))) & OURS <= MAY_IMPORT[layer]


@pytest.mark.parametrize(
    "source",
    ["import m4alloc.lib", "from m4alloc import lib", "def f():\n    import m4alloc", "import_module('m4alloc.lib')"],
)
def test_every_form_of_import_is_seen(source: str) -> None:
    assert "m4alloc" in set(imported(source))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_longer_than_600_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


def loaded_after(statement: str) -> set[str]:
    """The top-level modules in sys.modules of a fresh interpreter that ran the statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import m4alloc",
        "import m4alloc; m4alloc.backend",
        "import m4alloc; m4alloc.Strategy",
        "import m4alloc; m4alloc.doctor()",
        "from m4alloc.cli.main import parsers; parsers(['run', 'lib', 'doctor'])",
    ],
)
def test_the_specification_is_not_imported_until_a_tool_needs_it(statement: str) -> None:
    assert not loaded_after(statement) & {"spec", "capability", "numpy", "hypothesis", "rich"}


def test_misuse_is_the_specifications_own_class() -> None:
    assert {"m4alloc", "spec"} <= loaded_after("import m4alloc, spec.error; assert m4alloc.Misuse is spec.error.Misuse")


def test_a_verb_is_callable_after_the_module_of_its_name_was_imported() -> None:
    loaded_after("import m4alloc, m4alloc.doctor; assert m4alloc.doctor().findings")
    loaded_after("import m4alloc; m4alloc.doctor(); import m4alloc.doctor; assert m4alloc.doctor().findings")
    loaded_after(
        "from m4alloc.doctor import doctor; import m4alloc; assert m4alloc.doctor().to_json() == doctor().to_json()"
    )


@pytest.mark.slow
def test_every_public_name_leads_somewhere() -> None:
    loaded_after("import m4alloc\nfor name in m4alloc.__all__: getattr(m4alloc, name)")


def test_an_unknown_name_is_an_attribute_error() -> None:
    import m4alloc

    with pytest.raises(AttributeError, match="has no attribute 'mallok'"):
        _ = m4alloc.mallok


def test_the_layers_of_the_core_are_those_of_the_design_and_use_only_lower_ones() -> None:
    design = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
    section = design[design.index("## 2. ") : design.index("## 3. ")]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    layers = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    files = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "m4alloc" / "_core").glob("*.pxd")}
    assert set(layers) == set(files) - {"__init__"}
    for number, layer in enumerate(layers):
        used = set(re.findall(r"m4alloc\._core\.(\w+) cimport", files[layer]))
        assert used <= set(layers[:number]), layer
