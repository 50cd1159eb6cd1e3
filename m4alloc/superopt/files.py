"""The files of a superoptimisation: the module before and after, the report as JSON and as one HTML page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from m4alloc.superopt import toolchain
from m4alloc.superopt.ir import Module
from m4alloc.superopt.page import page
from m4alloc.superopt.printer import print_module
from m4alloc.superopt.report import RewriteReport
from m4alloc.trace.whole import write_whole

if TYPE_CHECKING:
    from m4alloc.superopt.report_cheri import CapabilityReport

STATE = "state.jsonl"
"""What of a campaign is finished, in the same folder."""


def write(report: RewriteReport, folder: Path) -> RewriteReport:
    """Write everything into `folder`, and return the report that names the files.  Raises OSError.

    before.ll is the module as it was read, after.ll the same with every function that was made cheaper in its place;
    neither is there where nothing was.  Each file is written as a whole or not at all.
    """
    ready(folder)
    files = [folder / "before.ll", folder / "after.ll"]
    if report.improved and report.module is not None:
        write_whole(files[0], print_module(report.module))
        write_whole(files[1], changed(report.module, report))
    else:
        for path in files:
            path.unlink(missing_ok=True)  # of an earlier run
        files = []
    files += [folder / "report.json", folder / "report.html"]
    told = replace(report, files=tuple(map(str, files)))
    write_whole(folder / "report.html", page(told))
    write_whole(folder / "report.json", json.dumps(told.to_json(), indent=1) + "\n")
    return told


def write_cheri(report: CapabilityReport, folder: Path) -> None:
    """The same of capability code: each function before and after, the report.  Raises OSError."""
    from m4alloc.superopt import report_cheri
    from m4alloc.superopt.cheri.printer import to_llvm

    ready(folder)
    improved = [one for one in report.functions if one.steps]
    for name, programs in (("before.ll", [o.source for o in improved]), ("after.ll", [o.result for o in improved])):
        if improved:
            write_whole(folder / name, _together(to_llvm(program) for program in programs))
        else:
            (folder / name).unlink(missing_ok=True)
    write_whole(folder / "report.html", report_cheri.page(report))
    write_whole(folder / "report.json", json.dumps(report.to_json(), indent=1) + "\n")


def _together(texts: Iterable[str]) -> str:
    """Functions in one text, each declaration once."""
    declared: dict[str, None] = {}
    rest = []
    for line in (line for text in texts for line in text.splitlines()):
        if line.startswith("declare "):
            declared[line] = None
        else:
            rest.append(line)
    return "\n".join([*rest, *declared, ""])


def ready(folder: Path) -> None:
    """See to it that files can be written into the folder, before any time is spent.  Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".m4alloc-superopt"
    try:
        probe.write_bytes(b"")
    finally:
        probe.unlink(missing_ok=True)


def changed(module: Module, report: RewriteReport) -> str:
    """The module's text with what was made cheaper, which LLVM has accepted."""
    after = {one.before.name: one.after for one in report.improved}
    functions = tuple(after.get(function.name, function) for function in module.functions)
    text = print_module(replace(module, functions=functions))
    toolchain.read(text, "after.ll")
    return text
