"""Allocators to test the testers with: the smallest right one, and copies of it with one thing broken."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("bump.c")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Compiles C text with the macros named into a shared library, once each, and gives its path."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt-get install gcc")
    folder = tmp_path_factory.mktemp("libraries")

    def build(text: str, *macros: str) -> str:
        digest = hashlib.sha256("\0".join([text, *macros]).encode()).hexdigest()[:16]
        output = folder / f"lib{digest}.so"
        if not output.exists():
            flags = ["-O1", "-fno-builtin", "-shared", "-fPIC", *(f"-D{macro}" for macro in macros)]
            subprocess.run([compiler, *flags, "-x", "c", "-", "-o", str(output)], input=text.encode(), check=True)
        return str(output)

    return build


@pytest.fixture(scope="session")
def bump(library: Callable[..., str]) -> Callable[..., str]:
    """Builds the bump allocator with the macros named."""
    return functools.partial(library, SOURCE.read_text())
