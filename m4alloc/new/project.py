"""Write the project of a new allocator: two twins, their tests, and how they are built."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from m4alloc.check.verify_report import SCHEMA
from m4alloc.new.name import check_name, class_name

FILES = {
    "README.md": "README.md.in",
    "{name}.py": "allocator.py.in",
    "{name}.pyx": "allocator.pyx.in",
    "{name}.map": "allocator.map.in",
    "test_{name}.py": "test_allocator.py.in",
    "Makefile": "Makefile.in",
    "pyproject.toml": "pyproject.toml.in",
    ".gitignore": "gitignore.in",
}
"""The files of a project, and the template of each; @name@ and @Name@ in it become the module's and the class's."""
ON_HARDWARE = {"{name}_policy.py": "policy.py.in", "test_{name}_policy.py": "test_policy.py.in"}
"""What there is besides where the placement also goes onto a model of hardware."""


ROW = "| `@name@_policy.py`, `test_@name@_policy.py` | its placement alone, tested on a model of @hardware@ |\n"
"""The row of the README about them."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """A model of hardware: its name in prose, how it is made, and the module that has it."""

    title: str
    make: str
    module: str

    @property
    def imports(self) -> str:
        """The lines that import it, and what it raises, in order."""
        own = f"from {self.module} import {self.make.partition('(')[0]}"
        return "\n".join(sorted(["from capability.fault import Fault", own]))


HARDWARE = {
    "mte": Hardware("Arm MTE", "MTE()", "capability.mte.protection"),
    "cheri": Hardware("CHERI", "Cheri()", "capability.cheri.protection"),
}
"""What `--architecture` takes."""


OTHER = "choose another name, or another place with --output DIR"


class ProjectError(ValueError):
    """The project cannot be written there; the message says why, and what would do."""


@dataclass(frozen=True, slots=True)
class NewReport:
    """What was written: the allocator's name, its folder, and the files in it, in the order in which to read them."""

    name: str
    directory: Path
    files: tuple[str, ...]

    @property
    def library(self) -> str:
        """The file that `make` builds."""
        return f"lib{self.name}.so"

    @property
    def commands(self) -> tuple[tuple[str, str], ...]:
        """What to try first, and what each line does."""
        return (
            (f"cd {shlex.quote(os.fspath(self.directory))}", ""),
            ("make", f"builds {self.library}"),
            ("python3 -m pytest", "the tests of both twins"),
            (f"m4alloc check ./{self.library}", "every rule of C and POSIX, for a minute"),
            (f"m4alloc grade {self.name}.py", "how much memory it wastes, and how fast it is"),
        )

    def to_json(self) -> dict[str, Any]:
        """The report as plain data; docs/json-schema/new.json describes it."""
        return {
            "schema": SCHEMA,
            "verb": "new",
            "name": self.name,
            "class": class_name(self.name),
            "directory": os.fspath(self.directory),
            "library": self.library,
            "files": list(self.files),
            "commands": [command for command, _ in self.commands],
        }


def new(name: str, *, output: str | os.PathLike[str] | None = None, architecture: str = "") -> NewReport:
    """Write an allocator of about forty lines in Python, and its Cython twin, with all that checks them.

    name: of its module, files and library; small letters, digits and underscores. output: the project's folder,
    which must not exist, or be empty; None means `name`, here. It appears with all its files, or not at all.
    architecture: "mte" or "cheri": the placement alone, too, as a policy of the reference allocator on that hardware.
    Raises NameRefusedError, ProjectError, OSError.  Cost: some milliseconds.

    >>> report = new("pool", output=Path(tempfile.mkdtemp()) / "pool")
    >>> report.files[:3]
    ('README.md', 'pool.py', 'pool.pyx')
    """
    check_name(name)
    if architecture and architecture not in HARDWARE:
        raise ProjectError(f"architecture {architecture!r} is not known; known are {' and '.join(HARDWARE)}")
    if output is not None and not os.fspath(output):
        raise ProjectError("the folder has no name; give one with --output DIR, or leave it out: then it is NAME")
    folder = Path(name if output is None else output)
    check_folder(folder)
    files = written(name, architecture)
    parent = folder.resolve().parent
    try:
        place = tempfile.TemporaryDirectory(dir=parent, prefix=f".{name}.")
    except OSError as error:
        raise ProjectError(f"nothing can be written in {parent}: {error.strerror}; {OTHER}") from error
    with place as scratch:
        fresh = Path(scratch) / name
        fresh.mkdir()
        for file, text in files.items():
            (fresh / file).write_text(text, encoding="utf-8")
        if folder.exists():
            shutil.copystat(folder, fresh)
            folder.resolve().rmdir()
        fresh.rename(folder.resolve())
    return NewReport(name, folder, tuple(files))


def check_folder(folder: Path) -> None:
    """Refuse a folder that is in use, or has no place. Raises ProjectError."""
    if folder.is_symlink() and not folder.exists():
        raise ProjectError(f"{folder} is a symbolic link to nothing; {OTHER}")
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"{folder} exists and is a file; {OTHER}")
    if folder.exists() and any(folder.iterdir()):
        raise ProjectError(f"{folder} exists and is not empty; {OTHER}")
    parent = folder.resolve().parent
    if parent.exists() and not parent.is_dir():
        raise ProjectError(f"{parent} is a file, no folder; {OTHER}")
    if not parent.is_dir():
        raise ProjectError(f"{parent} does not exist; make it first: mkdir -p {shlex.quote(str(parent))}")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ProjectError(f"nothing can be written in {parent}; {OTHER}")


def written(name: str, hardware: str = "") -> dict[str, str]:
    """The text of each file of a project.

    >>> written("pool")["pool.map"].splitlines()[1]
    '  global: malloc; calloc; realloc; free; aligned_alloc; memalign; posix_memalign; malloc_usable_size;'
    """
    templates = resources.files("m4alloc.new") / "template"
    words = {"policy": "", "name": name, "Name": class_name(name)}
    wanted = dict(FILES)
    if hardware:
        model = HARDWARE[hardware]
        words |= {"policy": ROW, "hardware": model.title, "architecture": model.make, "imports": model.imports}
        wanted |= ON_HARDWARE
    return {
        file.format(name=name): filled((templates / template).read_text(encoding="utf-8"), words)
        for file, template in wanted.items()
    }


def filled(text: str, words: Mapping[str, str]) -> str:
    """A template with its words in their places.

    >>> filled("class @Name@: ...", {"Name": "Pool"})
    'class Pool: ...'
    """
    for word, meaning in words.items():
        text = text.replace(f"@{word}@", meaning)
    return text
