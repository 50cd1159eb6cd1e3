"""Find the program that a command line names, and say beforehand why a preload library could not enter it."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PT_INTERP = 3
MACHINES = {3: "i386", 8: "mips", 20: "powerpc", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64"}
MACHINES |= {243: "riscv64", 258: "loongarch64"}
SCRIPT_DEPTH = 5
"""How many scripts may interpret one another, as in Linux."""


class ProgramError(Exception):
    """The program cannot be run on a preloaded allocator: what is wrong with it, and what would be right."""


@dataclass(frozen=True, slots=True)
class Program:
    """A dynamically linked program for this machine, ready for execve.

    path: the file that was named, found on PATH; executable: the ELF file that runs, for a script its interpreter.
    """

    path: Path
    executable: Path
    argv: tuple[str, ...]


def locate(argv: Sequence[str]) -> Program:
    """The program that `argv` runs, looked for as a shell would.

    Raises ProgramError: no program given, not found, a directory, not executable, a script whose interpreter does
    not exist, statically linked, for another machine, or set-user-ID (the loader then ignores LD_PRELOAD).

    >>> locate(["sh", "-c", "exit 3"]).path.name
    'sh'
    >>> locate(["no-such-program"])
    Traceback (most recent call last):
    m4alloc.program.ProgramError: no program called 'no-such-program' on PATH
    """
    if not argv:
        raise ProgramError("no program given; it stands after `--`, as in: -- ls -l")
    name = argv[0]
    found = shutil.which(name)
    if found is None:
        raise ProgramError(_why_not_found(name))
    path = Path(found).absolute()
    executable = _interpreter(path, SCRIPT_DEPTH)
    _check_elf(executable)
    if executable.stat().st_mode & (stat.S_ISUID | stat.S_ISGID) and os.geteuid() != 0:
        raise ProgramError(f"{executable} is set-user-ID or set-group-ID: the loader ignores LD_PRELOAD for it")
    return Program(path, executable, tuple(argv))


def _why_not_found(name: str) -> str:
    path = Path(name)
    if "/" not in name:
        return f"no program called {name!r} on PATH"
    if path.is_dir():
        return f"{name} is a directory, not a program"
    if path.exists():
        return f"{name} is not executable (chmod +x {name})"
    return f"{name} does not exist"


def _interpreter(path: Path, depth: int) -> Path:
    """The ELF file behind a script's `#!` line; `path` itself when it is no script."""
    try:
        with path.open("rb") as file:
            line = file.readline(256)
    except OSError as error:
        raise ProgramError(f"{path} cannot be read: {error.strerror}") from error
    if not line.startswith(b"#!"):
        return path
    words = line[2:].decode(errors="surrogateescape").split()
    if not words or depth == 0:
        raise ProgramError(f"{path} is a script whose first line names no interpreter that could run it")
    interpreter = words[0]
    if not os.access(interpreter, os.X_OK):
        raise ProgramError(f"{path} is a script for {interpreter}, which does not exist or is not executable")
    if Path(interpreter).name == "env":
        program = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), None)
        found = shutil.which(program) if program else None
        if program and found is None:
            raise ProgramError(f"{path} is a script for {program}, which is not on PATH")
        interpreter = found or interpreter
    return _interpreter(Path(interpreter), depth - 1)


def _check_elf(path: Path) -> None:
    """Raise ProgramError unless `path` is an ELF file for this machine that asks for the dynamic loader."""
    with path.open("rb") as file:
        header = file.read(64)
        if header[:4] != b"\x7fELF":
            raise ProgramError(f"{path} is neither an ELF program nor a script (its first line must start with #!)")
        order = "<" if header[5] == 1 else ">"
        (machine,) = struct.unpack_from(order + "H", header, 18)
        name = MACHINES.get(machine, f"ELF machine {machine}")
        if name != platform.machine():
            raise ProgramError(f"{path} is for {name}; this machine is {platform.machine()}")
        if header[4] != 2:
            raise ProgramError(f"{path} is a 32-bit program; the libraries are 64-bit")
        (offset,) = struct.unpack_from(order + "Q", header, 32)
        size, count = struct.unpack_from(order + "HH", header, 54)
        file.seek(offset)
        table = file.read(size * count)
    kinds = {struct.unpack_from(order + "I", table, at)[0] for at in range(0, len(table) - 3, size or 1)}
    if PT_INTERP not in kinds:
        raise ProgramError(f"{path} is statically linked: no library can be preloaded into it; link it dynamically")
