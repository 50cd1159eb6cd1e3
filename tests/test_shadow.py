"""Another package that has taken the name `spec`, or a stray folder of that name, is refused by name."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from m4alloc import _shadow
from m4alloc._shadow import ShadowedError


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A folder with another project's `spec` that comes first on the path of imports."""
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec" / "__init__.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    return tmp_path


def python(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run([sys.executable, *words], cwd=path, env=environment, capture_output=True, text=True)


def test_the_specification_of_a_stranger_is_never_imported(stranger: Path) -> None:
    done = python(stranger, "-c", "import m4alloc; m4alloc.Misuse")
    assert done.returncode == 1
    assert f"ShadowedError: m4alloc needs its own package 'spec', but the one found is {stranger}" in done.stderr


def test_a_verb_that_needs_the_specification_refuses_with_status_2(stranger: Path) -> None:
    done = python(stranger, "-m", "m4alloc", "verify", "--", "ls")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip uninstall spec" in done.stderr


def test_the_allocator_itself_does_not_need_the_specification(stranger: Path) -> None:
    done = python(stranger, "-m", "m4alloc", "run", "--", "echo", "hello")
    assert done.stdout == "hello\n", done.stderr


def test_doctor_reports_the_stranger(stranger: Path) -> None:
    done = python(stranger, "-m", "m4alloc", "doctor")
    assert done.returncode == 3
    assert "shadowed" in done.stdout


def test_an_empty_folder_of_that_name_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    assert python(tmp_path, "-c", "import m4alloc; m4alloc.Misuse").returncode == 0


def test_a_specification_that_is_nowhere_is_said_to_be_nowhere() -> None:
    assert str(ShadowedError("spec", None)).startswith("m4alloc needs its own package 'spec', but none was found. Fix:")


class Silent:
    """A loader that tells no source, as pytest's is that rewrites assertions of installed packages."""

    def __init__(self, inner: Any) -> None:
        self.create_module, self.exec_module = inner.create_module, inner.exec_module


def test_a_loader_that_tells_no_source_does_not_make_ours_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = importlib.util.find_spec

    def find(name: str) -> ModuleSpec | None:
        found = usual(name)
        if found is not None:
            found = ModuleSpec(name, Silent(found.loader), origin=found.origin)  # type: ignore[arg-type]
            found.has_location = True
        return found

    monkeypatch.setattr(importlib.util, "find_spec", find)
    _shadow._require.cache_clear()
    _shadow.require_ours()
