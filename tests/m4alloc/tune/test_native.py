"""The libraries that are preloaded: compiled once."""

from __future__ import annotations

import pytest

from m4alloc._build import BuildError, run_compiler
from m4alloc.tune import native
from m4alloc.tune.native import library


def test_a_library_is_compiled_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = library("bump")
    monkeypatch.setattr(native, "run_compiler", lambda *words: pytest.fail(f"compiled again: {words}"))
    assert library("bump") == first and first.is_file()


def test_without_a_compiler_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(BuildError, match=r"^no C compiler \(no-such-compiler\): apt-get install gcc$"):
        library.__wrapped__("share")


@pytest.mark.parametrize("name", ["bump", "share"])
def test_it_compiles_without_a_warning(name: str) -> None:
    run_compiler("-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"{native.PACKAGE}/{name}.c")
