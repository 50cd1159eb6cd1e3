"""The test module of a finding is a module that says what the script says, laid out as the formatter lays it out."""

from __future__ import annotations

import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from m4alloc.check.reproduce_pytest import pytest_module
from spec.script import parse, render
from spec.statement import Script

OVERLAP = parse("a = malloc 24 -> 0x1000 usable 24\nb = malloc 24 -> 0x1010   ! violates result-disjoint")
LONG = "/" + "long/" * 30 + "libmine.so"
ODD = parse('given standard c17\nlabel "x\\\\y \\"\\"\\" z"\na = malloc 24\nfree a\nfree a ! misuse double-free a')


def carried_out(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """The names of a module, and what its tests handed to `holds`."""
    handed: list[tuple[Any, ...]] = []
    stand_in = types.ModuleType("m4alloc.check")
    stand_in.__dict__["holds"] = lambda *arguments, **options: handed.append((*arguments, options))
    monkeypatch.setitem(sys.modules, "m4alloc.check", stand_in)
    names: dict[str, Any] = {}
    exec(text, names)
    for name, value in list(names.items()):
        if name.startswith("test_"):
            value()
    return names, handed


def test_the_requests_go_to_the_library_without_replies_and_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALLOCATOR", raising=False)
    _, handed = carried_out(pytest_module(OVERLAP, library="/opt/libmine.so"), monkeypatch)
    assert handed == [("/opt/libmine.so", "\na = malloc 24\nb = malloc 24\n", {})]


def test_the_environment_names_another_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOCATOR", "/other.so")
    text = pytest_module(OVERLAP, library="/opt/libmine.so", symbol_prefix="je_", times=3)
    _, handed = carried_out(text, monkeypatch)
    assert handed[0][0] == "/other.so" and handed[0][2] == {"times": 3, "symbol_prefix": "je_"}


def test_the_test_is_called_after_the_rule_and_the_module_says_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    names, _ = carried_out(pytest_module(OVERLAP), monkeypatch)
    assert "test_result_disjoint" in names
    said = " ".join(str(names["__doc__"]).split())
    assert "A block shares no byte with any other live block." in said
    assert "returned 0x1010 with 24 bytes, 16 bytes into block #1 (24 bytes at 0x1000, usable 24)" in said


def test_misuse_stays_and_texts_with_quotes_survive(monkeypatch: pytest.MonkeyPatch) -> None:
    _, handed = carried_out(pytest_module(ODD), monkeypatch)
    assert render(parse(handed[0][1])) == render(ODD)


@pytest.mark.parametrize("script", [OVERLAP, ODD], ids=["overlap", "odd"])
@pytest.mark.parametrize("library", ["system", LONG, '/opt/it\'s "q".so'], ids=["short", "long", "quotes"])
def test_the_module_is_laid_out_as_the_formatter_does_it(script: Script, library: str) -> None:
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("needs ruff: pip install ruff")
    text = pytest_module(script, library=library, times=20, symbol_prefix="quite_a_long_prefix_")
    words = [ruff, "format", "--isolated", "--stdin-filename", "test_it.py", "-"]
    assert subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout == text
