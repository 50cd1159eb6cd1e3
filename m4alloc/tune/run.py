"""Tune: record a program, find the strategy that serves it best, verify it, build it, and measure what it gains."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.program import locate
from m4alloc.tune.report import TuneReport
from m4alloc.tune.settings import Settings, TuneError
from m4alloc.tune.sources import Source, sources
from m4alloc.tune.tuning import RECORDED, Tuning

__all__ = ["tune"]

NEEDED = {
    "numba": "the exact answers and the search",
    "llvmlite": "the exact answers and the search",
    "hypothesis": "the gates",
}
"""Modules of the extra `tune` that every tuning comes to, with who needs them."""


def tune(
    traces: Sequence[str | os.PathLike[str]] = (),
    *,
    command: Sequence[str] = (),
    output: str | os.PathLike[str] = "tune-report",
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> TuneReport:
    """Find, verify, build and measure a strategy for one program, or for recorded traces.

    traces: recordings, each an index, a trace or a folder of them. command: a program and its arguments, recorded
    first, and measured before and after. One of the two is wanted. output: the folder for the strategy, the library,
    the report, the state of the search and what was refused. settings: as m4alloc.tune.settings.Settings has them.
    tell: told each finding as it is made, in a line.
    The order: headroom (which may end it at once), recording, exact answers, search, the gates, the race, the
    reasons, held-out programs, the build, the measurement. SIGINT ends the part that is under way and keeps what there
    is; resume=True goes on with the recording and the search that the folder holds.
    Raises: TuneError, SourceError, TraceError, StrategyError, SearchStateError, EngineError, BenchError,
    AllocatorError, ProgramError, RecordError, BuildError, ModuleNotFoundError that names the extra, OSError.

    >>> tune([], output="/tmp")
    Traceback (most recent call last):
    m4alloc.tune.sources.SourceError: nothing to tune on: name recorded traces, or a program to record after `--`
    """
    began = time.monotonic()
    chosen = Settings(output=Path(output), **settings)
    chosen.output.mkdir(parents=True, exist_ok=True)
    with interrupts_noted() as interrupts, progress or Silent() as shown:
        tuning = Tuning(chosen, tuple(command), shown, interrupts, tell)
        if command:
            locate(list(command))
        if traces or command:
            need_the_extra()
        for stage in (
            tuning.nothing_to_gain,
            lambda: tuning.gather(lambda: recordings(chosen, traces, command, tell, interrupts)),
            tuning.answer,
            tuning.search,
            tuning.verify,
            tuning.race,
            tuning.explain,
            tuning.hold_out,
            tuning.build,
            tuning.measure,
        ):
            if interrupts or tuning.ended:
                break
            try:
                stage()
            except Exception as error:
                if not interrupts:
                    raise
                tuning.note(f"interrupted: {error}")  # what was under way may say so in its own words
        return tuning.report(time.monotonic() - began)


def need_the_extra() -> None:
    """Ask for what no tuning comes to its end without, before minutes of measuring. Raises: ModuleNotFoundError."""
    for name, who in NEEDED.items():
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(
                f"{who} need {name}: pip install 'm4alloc[tune]' (in a clone: pip install -e '.[tune]')"
            )


def recordings(
    settings: Settings,
    traces: Sequence[str | os.PathLike[str]],
    command: Sequence[str],
    tell: Callable[[str], None],
    interrupts: object = (),
) -> list[Source]:
    """The traces, and the program's: recorded now, or on resume the one that the folder holds, if it is whole.

    Raises TuneError: it is another program's.
    """
    found = sources(traces, say=tell) if traces or not command else []
    if not command:
        return found
    folder, whole = settings.output / "traces", settings.output / RECORDED
    index = folder / f"{Path(command[0]).name}.m4t"
    if settings.resume and whole.exists() and index.exists():
        held = json.loads(whole.read_text(encoding="utf-8"))
        if held != [*command]:
            raise TuneError(
                f"{settings.output} holds a recording of `{shlex.join(held)}`, so nothing of `{shlex.join(command)}` "
                "can be resumed there: choose another folder, or leave --resume out"
            )
        return [*found, *(replace(one, command=tuple(command)) for one in sources([index], say=tell))]
    whole.unlink(missing_ok=True)
    words = ["--", *command]
    found += sources(words, output=folder, limit=settings.limit, say=tell, stdout=subprocess.DEVNULL)
    if not interrupts:  # which the program may have ended at, too
        whole.write_text(json.dumps([*command]), encoding="utf-8")
    return found
