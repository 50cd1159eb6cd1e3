"""The files that hold a finding: the script, a C program, a test, a picture."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m4alloc.check.check_report import Written
from m4alloc.check.finding import Finding
from m4alloc.check.picture import scene
from m4alloc.check.reproduce_c import c_program
from m4alloc.check.reproduce_pytest import pytest_module
from m4alloc.trace.whole import write_whole
from m4alloc.view.heap_at import heap_at
from m4alloc.view.svg import document
from spec.contract import EXPECTATIONS, RULES
from spec.script_reader import parse
from spec.script_writer import render

LARGEST = 20_000
"""Steps of a script that are still written as a program, a test, a picture."""


def write(
    finding: Finding,
    folder: Path,
    library: str,
    *,
    prefix: str = "",
    environment: Mapping[str, str] | None = None,
    measures: bool | None = None,
    seed: int = 0,
) -> Written:
    """Write a finding into `folder`, as RULE.heap, RULE.c, RULE.py and RULE.svg, each whole or not at all.

    measures: whether the library has malloc_usable_size. seed: of the run.
    The picture and the program are left out where there is nothing to draw or the script is too long to be read.
    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = finding.rule.name
    forms = {"heap": header(finding, library) + render(finding.script)}
    if len(finding.script.steps) <= LARGEST:
        script, rule, message = finding.script, finding.rule, finding.message
        forms["c"] = c_program(
            script,
            library=library,
            symbol_prefix=prefix,
            environment=environment,
            measures=measures,
            rule=rule,
            message=message,
            file=os.fspath(folder / f"{name}.c"),
        )
        forms["py"] = pytest_module(script, library=library, symbol_prefix=prefix, rule=rule, message=message)
        if any(step.replied for step in script.steps):
            forms["svg"] = document(heap_at(scene(script, rule, message)))
    files = {}
    for suffix, text in forms.items():
        path = folder / f"{name}.{suffix}"
        write_whole(path, text)
        files[suffix] = os.fspath(path)
    return Written(finding, files, command(library, files["heap"], prefix, seed))


def saved(written: Written) -> dict[str, Any]:
    """A finding that was written, as plain data; `restored` reads it."""
    return written.to_json()


def restored(held: Mapping[str, Any]) -> Written:
    """The finding of `saved`. Raises ValueError: its script is gone, or is none."""
    name = held["rule"]
    path = Path(held["files"]["heap"])
    try:
        script = parse(path.read_text(encoding="utf-8"), os.fspath(path))
    except OSError as error:
        raise ValueError(f"{path}: the script of a finding of the campaign is gone: {error.strerror}") from None
    finding = Finding(
        RULES[name] if name in RULES else EXPECTATIONS[name],
        held["clause"],
        held["message"],
        held["engine"],
        held["where"],
        script,
        held["requests"],
        held["replays"],
        held["times"],
    )
    return Written(finding, dict(held["files"]), held["replay"])


def header(finding: Finding, library: str) -> str:
    """What stands above the script: what broke, where it is demanded, how often it shows."""
    lines = [
        f"{library} breaks {finding.rule.name} ({finding.clause})",
        finding.message,
        f"found by the {finding.engine} search ({finding.where}); shows {finding.replays} of {finding.times} times",
    ]
    if finding.repeated:
        lines.append("it shows when this is carried out over and over, and what is left over is freed after each round")
    return "".join(f"# {line}\n" for text in lines for line in text.splitlines())


def command(library: str, script: str, prefix: str = "", seed: int = 0) -> str:
    """The command line that carries a finding out again."""
    words = ["m4alloc", "check", *([] if library == "m4alloc" else [library]), "--script", script]
    if prefix:
        words += ["--symbol-prefix", prefix]
    if seed:
        words += ["--seed", str(seed)]
    return shlex.join(words)
