"""Functions and lines for addresses of code, by addr2line or llvm-symbolizer, where the program could not say them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from m4alloc.monitor.report import Finding, Frame, Stack

TOOLS = ("addr2line", "llvm-symbolizer")
"""What is looked for on PATH, in this order."""
_PATIENCE = 30.0
"""Seconds that one object may take."""


def symbolise(findings: Iterable[Finding]) -> list[Finding]:
    """The findings with functions and lines in their stacks, as far as the objects' debug information goes.

    Cost: one run of the tool for each object, some tens of milliseconds.
    """
    listed = list(findings)
    frames = [frame for finding in listed for stack in finding.stacks.values() for frame in stack]
    known = _look_up({(frame.module, frame.offset) for frame in frames if not frame.line and frame.module})
    return [
        replace(finding, stacks={name: _with_lines(stack, known) for name, stack in finding.stacks.items()})
        for finding in listed
    ]


def _with_lines(stack: Stack, known: Mapping[tuple[str, int], tuple[str, str, int]]) -> Stack:
    return tuple(_with_line(frame, known) for frame in stack)


def _with_line(frame: Frame, known: Mapping[tuple[str, int], tuple[str, str, int]]) -> Frame:
    found = known.get((frame.module, frame.offset))
    if found is None or frame.line:
        return frame
    function, file, line = found
    return replace(frame, function=function or frame.function, file=file or frame.file, line=line)


def _look_up(places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], tuple[str, str, int]]:
    tool = next(filter(None, map(shutil.which, TOOLS)), None)
    by_object: dict[str, list[int]] = {}
    for name, offset in sorted(places):
        by_object.setdefault(name, []).append(offset)
    found: dict[tuple[str, int], tuple[str, str, int]] = {}
    for name, offsets in by_object.items():
        if tool is not None and Path(name).is_file():
            for offset, told in zip(offsets, _ask(tool, name, offsets), strict=False):
                found[name, offset] = told
    return found


def _ask(tool: str, name: str, offsets: Sequence[int]) -> list[tuple[str, str, int]]:
    """What the tool says of offsets in the object."""
    wanted = [hex(offset) for offset in offsets]
    words = [tool, "-f", "-C", "-e", name] if tool.endswith("addr2line") else [tool, "-f", "-C", "--no-inlines"]
    words += ["--output-style=GNU", f"--obj={name}"] if not tool.endswith("addr2line") else []
    try:
        done = subprocess.run([*words, *wanted], capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = done.stdout.splitlines()
    return [_read(function, place) for function, place in zip(lines[::2], lines[1::2], strict=False)]


def _read(function: str, place: str) -> tuple[str, str, int]:
    """Two lines of output.

    >>> _read("main", "/src/a.c:12 (discriminator 3)"), _read("??", "??:0")
    (('main', '/src/a.c', 12), ('', '', 0))
    """
    file, _, line = place.partition(" (")[0].rpartition(":")
    number = int(line) if line.isdigit() else 0
    return ("" if function.startswith("??") else function, "" if file.startswith("??") else file, number)
