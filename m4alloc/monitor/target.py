"""The program that is to be watched: can the runtime get into it, does it say its accesses, does it know the labels?"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from m4alloc.program import Program, ProgramError, locate
from spec.property import KNOWN

LIBRARY: Final = "libm4monitor.so"
_DYNAMIC, _NEEDED, _STRINGS = 2, 1, 5
"""Of ELF: the segment PT_DYNAMIC, and the entries DT_NEEDED and DT_STRTAB in it."""
_LOAD = 1


@dataclass(frozen=True, slots=True)
class Target:
    """A program as it will be run. rebuilt: it was built by `m4alloc cc`, so that its accesses are events."""

    program: Program
    rebuilt: bool


def target(argv: Sequence[str]) -> Target:
    """Look at the program that `argv` runs.

    Raises ProgramError: it cannot be found, or no library can be preloaded into it (see m4alloc.program.locate).

    >>> target(["sh", "-c", "true"]).rebuilt
    False
    """
    program = locate(argv)
    _check_capabilities(program.executable)
    return Target(program, LIBRARY in needed(program.executable))


def _check_capabilities(path: Path) -> None:
    """Raise ProgramError where the file has capabilities: the loader then ignores LD_PRELOAD, as for set-user-ID."""
    try:
        os.getxattr(path, "security.capability")
    except OSError:
        return
    if os.geteuid() != 0:
        raise ProgramError(f"{path} has file capabilities: the loader ignores LD_PRELOAD for it; copy it, and run that")


def needed(path: Path) -> tuple[str, ...]:
    """The libraries that a 64-bit little-endian ELF file asks for; none where the file is something else.

    Cost: O(size of its dynamic section).  Source: System V ABI, chapter 5, dynamic linking.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return tuple(_needed(data))
    except (OSError, ValueError, struct.error):
        return ()


def _needed(data: mmap.mmap) -> Iterable[str]:
    if data[:6] != b"\x7fELF\x02\x01":
        return
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<IIQQQQ", data, table + size * number) for number in range(count)]
    for kind, _, start, _, _, length in segments:
        if kind != _DYNAMIC:
            continue
        entries = [struct.unpack_from("<QQ", data, at) for at in range(start, start + length - 15, 16)]
        strings = next((value for tag, value in entries if tag == _STRINGS), 0)
        for load, _, offset, address, _, stored in segments:
            if load == _LOAD and address <= strings < address + stored:
                strings += offset - address
                break
        for tag, value in entries:
            if tag == _NEEDED:
                end = data.find(b"\0", strings + value)
                yield os.fsdecode(data[strings + value : end])


def is_word_in(path: Path, label: str) -> bool:
    """Whether the label stands in the file, and not only as a part of a longer name; True where it cannot be read.

    >>> is_word_in(Path("/bin/sh"), "no_program_says_this")
    False
    """
    word = re.compile(rb"(?<![A-Za-z0-9_])" + re.escape(label.encode()) + rb"(?![A-Za-z0-9_])")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return word.search(data) is not None
    except (OSError, ValueError):
        return True


def near(label: str) -> str:
    """The event that a label is nearly called, or "".

    >>> near("fre"), near("request_start")
    ('free', '')
    """
    return "".join(get_close_matches(label, sorted(KNOWN), 1, 0.75))


def labels_missing(path: Path, labels: Iterable[str]) -> list[str]:
    """The labels that are no text in the file: perhaps misspelt, perhaps said by a library or put together.

    >>> labels_missing(Path("/bin/sh"), ["no_program_says_this"])
    ['no_program_says_this']
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return [label for label in labels if data.find(label.encode()) < 0]
    except (OSError, ValueError):
        return []
