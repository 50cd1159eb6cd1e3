"""What an input is - a recording, a trace, a script, a counterexample, a file of another tool - and the life in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from m4alloc.check.progress import Progress, Silent
from m4alloc.lib import LibraryError
from m4alloc.trace.format import TraceError
from m4alloc.trace.formats.place import REFERENCE, check_allocator
from m4alloc.trace.formats.registry import HEAD, by_name, of_input
from m4alloc.trace.formats.scratch import readable
from m4alloc.trace.preload import AllocatorError
from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.sources_problem import ViewError
from m4alloc.view.explorer.sources_script import life_of_script
from spec.ltl.error import LogicError
from spec.script import ScriptError, parse

if TYPE_CHECKING:
    from m4alloc.strategy import Strategy

JSON = frozenset({"chrome", "dhat"})
"""Formats in JSON that are only written."""
LIMIT = 4_000_000
"""Events that are drawn when nothing else is said."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How inputs are to be read.

    allocators: what the requests are made again on, a heap each. architectures: what scripts are run on, a heap each;
    neither for what the file tells. image: of a recording of several processes. format: of the files, ""
    to tell from each. limit: events drawn of each. strategy: of the core, where it serves or served the requests; None
    for one that is not known.
    """

    allocators: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    image: str = ""
    format: str = ""
    limit: int = LIMIT
    strategy: Strategy | None = None


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A run of a model that violates a property: a page of its own kind, each step of the run made again."""

    path: Path
    page: str


def read(path: Path, asked: Asked, progress: Progress | None = None) -> list[Life] | Counterexample:
    """The lives that one file holds: one, or one for each architecture and each allocator.

    Raises ViewError.
    """
    with _told(path), readable(path) as copy:
        try:
            with _told(copy):
                return _read(copy, asked, progress or Silent())
        except ViewError as error:
            raise ViewError(str(error).replace(str(copy), str(path))) from error


def _read(path: Path, asked: Asked, progress: Progress) -> list[Life] | Counterexample:
    """The lives in a file that can be read more than once.  Raises what `_told` tells of."""
    if path.is_dir():
        raise ViewError(f"{path}: a directory; a trace, a recording's index, a heap script is wanted")
    if not path.exists():
        raise ViewError(f"{path}: no such file")
    if asked.format == "" and is_counterexample(path):
        if asked.allocators or asked.architectures:
            raise ViewError(f"{path}: a counterexample of a model runs on no allocator and no architecture")
        if asked.image or asked.limit != LIMIT:
            raise ViewError(f"{path}: a counterexample of a model is one run, drawn whole: no --image, no --events")
        from m4alloc.view.explorer.lasso import page

        return Counterexample(path, page(path))
    kind = by_name(asked.format) if asked.format else of_input(path)
    _check_strategy(path, asked, kind.name == "heap")
    if kind.name in JSON and not asked.format:
        raise ViewError(
            f"{path}: JSON, but neither the index of a recording nor a counterexample that `m4alloc model` wrote"
        )
    if kind.name == "heap" and asked.image:
        raise ViewError(f"{path}: --image chooses a process of a recording; a script is of one")
    if kind.name == "heap":
        text = path.read_text("utf-8")
        script = parse(text, str(path))
        if not any(step.event for step in script.steps):
            raise ViewError(f"{path}: holds no call: there is nothing to draw")
        for allocator in asked.allocators:
            check_allocator(allocator)
        return [
            life_of_script(
                script,
                text=text,
                title=path.name,
                architecture=architecture,
                allocator=allocator,
                limit=asked.limit,
                strategy=asked.strategy,
            )
            for architecture, allocator in _machines(asked)
        ]
    if asked.architectures:
        raise ViewError(f"{path}: --architecture is for heap scripts; what is recorded ran on the hardware there was")
    from m4alloc.view.explorer.sources_trace import life_of_trace

    return [
        life_of_trace(
            path,
            image=asked.image,
            format=kind.name,
            allocator=allocator,
            limit=asked.limit,
            progress=progress,
            strategy=asked.strategy,
        )
        for allocator in asked.allocators or ("",)
    ]


def _check_strategy(path: Path, asked: Asked, script: bool) -> None:
    """Raise ViewError for a strategy that nothing here would run on or has run on."""
    if asked.strategy is None:
        return
    others = [name for name in asked.allocators if name in (REFERENCE, "system")]
    if asked.architectures or others or (script and not asked.allocators):
        raise ViewError(
            f"{path}: --strategy is the core's: it goes with --allocator m4alloc or a recording of a program on it"
        )


def _machines(asked: Asked) -> list[tuple[str, str]]:
    """What a script is run on: pairs of an architecture and an allocator, of which one at least is ""."""
    chosen = [(name, "") for name in asked.architectures]
    chosen += [("none", "") if name == REFERENCE else ("", name) for name in asked.allocators]
    return chosen or [("", "")]


def is_counterexample(path: Path) -> bool:
    """Whether the file is JSON that `m4alloc model` wrote."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.lstrip().startswith(b"{") or b'"trace-index"' in head:
        return False
    try:
        told = json.loads(path.read_bytes())
    except (ValueError, RecursionError):  # deeper than anything that a model's run holds
        return False
    return isinstance(told, dict) and str(told.get("format", "")).endswith(" run")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What is wrong with an input, as a ViewError that names it."""
    try:
        yield
    except ViewError:
        raise
    except UnicodeDecodeError as error:
        raise ViewError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error
    except (TraceError, ScriptError, AllocatorError, LibraryError, LogicError, ValueError) as error:
        text = str(error)
        raise ViewError(
            text if str(path) in text or isinstance(error, AllocatorError) else f"{path}: {text}"
        ) from error
    except OSError as error:
        raise ViewError(f"{path}: {error.strerror or error}") from error


def lives_of(paths: Sequence[Path], asked: Asked, progress: Progress | None = None) -> list[Life] | Counterexample:
    """The lives of all inputs, in order.  Raises ViewError."""
    found: list[Life] = []
    for path in paths:
        one = read(path, asked, progress)
        if isinstance(one, Counterexample):
            if len(paths) > 1:
                raise ViewError(f"{path}: a counterexample of a model has a page of its own; give it alone")
            return one
        found += one
    return found
