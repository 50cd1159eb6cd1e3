"""Builds the extensions, the preload libraries and the checkers; everything else is in pyproject.toml.

Without a compiler the pure package is still installed, with a warning. M4ALLOC_REQUIRE_FAST=1 makes that an error.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

PACKAGE = Path(__file__).parent / "m4alloc"
BENCH_PROGRAMS = Path(__file__).parent / "benchmarks" / "alloc_bench"
"""Sources that `m4alloc bench` compiles where it runs; in a checkout it finds them here."""


def load_build_module() -> ModuleType:
    """m4alloc/_build.py by path, so that m4alloc itself need not be importable while it is being built."""
    spec = importlib.util.spec_from_file_location("_m4alloc_build", PACKAGE / "_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


build = load_build_module()


class BuildPython(build_py):
    """Copies the packages, and the programs of `m4alloc bench` into one of them."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib) / "m4alloc" / "bench" / "programs"
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(BENCH_PROGRAMS.glob("*.*")):
            if path.suffix in {".c", ".h", ".toml"}:
                shutil.copy2(path, folder / path.name)


class BuildNative(build_ext):
    """Generates the C, builds the extensions, then the libraries beside them; each only when an input is newer."""

    def run(self) -> None:
        try:
            reason = build.unsupported()
            if reason:
                raise build.BuildError(reason)
            super().run()
            self.build_libraries()
            self.build_programs()
        except Exception as error:
            if os.environ.get("M4ALLOC_REQUIRE_FAST") == "1":
                raise
            print(f"warning: m4alloc: the native core is not built, the pure backend is used: {error}", file=sys.stderr)

    def build_extension(self, ext: Extension) -> None:
        ext.sources = [str(build.generate(Path(source).stem).relative_to(PACKAGE.parent)) for source in ext.sources]
        super().build_extension(ext)

    def build_libraries(self) -> None:
        folder = Path(self.get_ext_fullpath("m4alloc._fast")).parent
        folder.mkdir(parents=True, exist_ok=True)
        for source, library in build.LIBRARIES.items():
            if not (PACKAGE / f"{source}.c").exists():
                continue
            generated = [build.generate(module) for module in build.GENERATED[source]]
            if self.force or build.is_stale(folder / library, source):
                build.compile_library(folder / library, source=source)
            if folder.resolve() != PACKAGE.resolve():
                for path in generated:
                    shutil.copy2(path, folder / path.name)

    def build_programs(self) -> None:
        folder = Path(self.get_ext_fullpath("m4alloc._fast")).parent
        for source, program in build.PROGRAMS.items():
            if self.force or build.is_stale_program(folder / program, source):
                build.compile_program(folder / program, source)
        if self.force or build.is_stale_checker(folder / build.CHECKER):
            try:
                build.compile_checker(folder / build.CHECKER)
            except build.BuildError as error:  # the allocator is whole without it
                if os.environ.get("M4ALLOC_REQUIRE_FAST") == "1":
                    raise
                print(f"warning: m4alloc: the interleaving checker is not built: {error}", file=sys.stderr)


def extensions() -> list[Extension]:
    return [
        Extension(
            f"m4alloc.{module}",
            [f"m4alloc/{module}.pyx"],
            depends=[str(path.relative_to(PACKAGE.parent)) for path in build.headers(module)],
            include_dirs=["m4alloc"],
            extra_compile_args=list(build.EXTENSION_FLAGS),
            extra_link_args=["-pthread"],
        )
        for module in build.EXTENSIONS
        if (PACKAGE / f"{module}.pyx").exists()
    ]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildNative, "build_py": BuildPython})
