"""What is written can be read: the module before and after, whole, and the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from m4alloc.superopt import files
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.parse import parse_module
from tests.m4alloc.superopt.report_cases import report


def test_the_modules_are_whole_and_only_what_was_made_cheaper_differs(tmp_path: Path) -> None:
    told = files.write(report(), tmp_path / "out")
    before, after = (parse_module((tmp_path / "out" / f"{name}.ll").read_text()) for name in ("before", "after"))
    assert [one.name for one in after.functions] == ["sum", "moved", "least", "calls"]
    assert before.globals == after.globals and len(after.globals) == 2
    assert [ours != theirs for ours, theirs in zip(before.functions, after.functions, strict=True)] == [
        True, False, False, True,
    ]  # fmt: skip
    assert refines(before.function("sum"), after.function("sum"), report().facts).accepted
    assert [Path(name).name for name in told.files] == ["before.ll", "after.ll", "report.json", "report.html"]


def test_the_report_names_the_files_and_nothing_else_is_left(tmp_path: Path) -> None:
    files.write(report(), tmp_path)
    told = json.loads((tmp_path / "report.json").read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(Path(name).name for name in told["files"])


def test_where_nothing_was_made_cheaper_no_module_is_left_from_before(tmp_path: Path) -> None:
    files.write(report(), tmp_path)
    files.write(replace(report(), functions=report().functions[1:3]), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_searched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        files.ready(tmp_path / "file")
    with pytest.raises(OSError):
        files.ready(Path("/proc/none"))
