"""View: a heap's life as one page that opens from disk, as text, or as SVG."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m4alloc.check.progress import Progress, Silent
from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.page import page
from m4alloc.view.explorer.sources import LIMIT, Asked, Counterexample, lives_of
from m4alloc.view.explorer.sources_problem import ViewError
from m4alloc.view.target import refuse_to_write, write

if TYPE_CHECKING:
    from m4alloc.strategy import Strategy

__all__ = ["HEAPS", "OUTPUT", "ViewReport", "refuse_to_write", "view", "write"]

SCHEMA = "m4alloc/1"
OUTPUT = "heap.html"
HEAPS = 4
"""Heaps on one page at most: each needs some room."""


@dataclass(frozen=True, slots=True)
class ViewReport:
    """What was drawn, and where to.

    lives: the heaps; none for a counterexample of a model. output: the page, "" when none was written. bytes: of the
    page. svg: the picture, "" when none was written. inputs: as they were given.
    """

    inputs: tuple[str, ...]
    lives: tuple[Life, ...]
    output: str = ""
    bytes: int = 0
    svg: str = ""
    counterexample: str = field(default="")

    def __repr__(self) -> str:
        titles = ", ".join(life.title for life in self.lives) or self.counterexample
        return f"<ViewReport of {titles}{' in ' if self.output else ''}{self.output}>"

    def _repr_html_(self) -> str:
        """For notebooks: the map of each heap, and where the page is."""
        from m4alloc.view.notebook_report import view

        return view(self)

    def to_json(self) -> dict[str, Any]:
        """As in docs/json-schema/view.json."""
        return {
            "schema": SCHEMA,
            "verb": "view",
            "inputs": list(self.inputs),
            "kind": "counterexample" if self.counterexample else "heap",
            "output": self.output or None,
            "bytes": self.bytes,
            "svg": self.svg or None,
            "heaps": [_heap(life) for life in self.lives],
        }


def _heap(life: Life) -> dict[str, Any]:
    """One heap of the report."""
    return {
        "title": life.title,
        "allocator": life.allocator,
        "protection": life.protection,
        "events": len(life.events),
        "blocks": len(life.blocks),
        "threads": len(life.threads),
        "peak_bytes": life.peak,
        "marks": dict(sorted(Counter(mark.kind for mark in life.marks).items())),
        "sentence": life.sentence,
        "end": life.end,
        "left_out": life.left_out,
    }


def view(
    *inputs: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = OUTPUT,
    svg: str | os.PathLike[str] | None = None,
    allocators: Sequence[str] = (),
    architectures: Sequence[str] = (),
    attack: str = "",
    seed: int = 0,
    image: str = "",
    source_format: str = "",
    title: str = "",
    events: int = LIMIT,
    strategy: Strategy | None = None,
    progress: Progress | None = None,
) -> ViewReport:
    """Draw the life of a heap, or of several side by side, as a page to explore.

    inputs: recordings, traces, heap scripts, files of other tools (docs/formats.md), or one counterexample that
    `m4alloc model` wrote. output: the page, None for none. svg: a picture of the map of one heap.
    allocators: "m4alloc", "system", "reference" or paths of libraries that the requests are made again on, a heap each.
    architectures: for scripts and attacks, what the reference allocator runs on, a heap each: none, mte, adi, cheri,
    sgx, or a defence of `m4alloc attack`. attack, seed: an attack of the catalogue instead of inputs, with what the
    models draw from this seed. image, source_format: as `m4alloc convert` takes them. events: drawn of each heap.
    strategy: of the core, where the requests are made on it, or what was recorded ran on it; its guards are drawn.
    Raises ViewError, with nothing written: what is wrong with an input, an option or the output.
    Cost: three to four seconds for a million events.

    >>> report = view("tests/scripts/misuse/double-free.heap", output=None)
    >>> len(report.lives[0].events), [mark.name for mark in report.lives[0].marks]
    (3, ['double-free'])
    """
    asked = Asked(tuple(allocators), tuple(architectures), image, source_format, events, strategy)
    _check(inputs, asked, attack, seed)
    paths = [Path(one) for one in inputs]
    for target in (output, svg):
        if target is not None:
            refuse_to_write(Path(target), paths)
    if output is not None and svg is not None and os.path.realpath(output) == os.path.realpath(svg):
        raise ViewError(f"{os.fspath(svg)}: both the page and the picture; give them names of their own")
    told = progress or Silent()
    with told:
        lives = _attacks(attack, architectures, seed) if attack else lives_of(paths, asked, told)
        names = tuple(os.fspath(one) for one in inputs)
        if isinstance(lives, Counterexample):
            if svg is not None:
                raise ViewError("--svg: a counterexample has no map; `m4alloc model --svg FILE` draws it")
            size = 0 if output is None else write(Path(output), lives.page)
            return ViewReport(names, (), _named(output), size, counterexample=os.fspath(lives.path))
        if len(lives) > HEAPS:
            raise ViewError(f"{len(lives)} heaps; a page has room for {HEAPS} at most")
        if svg is not None and len(lives) > 1:
            raise ViewError(f"--svg draws one heap, and there are {len(lives)}; the page shows them side by side")
        drawn = paged = ""
        if svg is not None:
            from m4alloc.view.explorer.run_picture import picture

            drawn = _drawn(lambda: picture(lives[0]))
        if output is not None:
            told.phase("writing the page")
            paged = _drawn(lambda: page(lives, title))
        # Both are there before either is written.
        size = 0 if output is None else write(Path(output), paged)
        if svg is not None:
            write(Path(svg), drawn)
    return ViewReport(names, tuple(lives), _named(output), size, _named(svg))


def _drawn(draw: Callable[[], str]) -> str:
    """What is drawn.  Raises ViewError: the history contradicts itself so that it cannot be."""
    try:
        return draw()
    except ValueError as error:
        raise ViewError(f"this history cannot be drawn: {error}") from error


def _named(path: str | os.PathLike[str] | None) -> str:
    return "" if path is None else os.fspath(path)


def _check(inputs: Sequence[object], asked: Asked, attack: str, seed: int) -> None:
    """Raise ViewError for options that contradict each other."""
    if attack and (inputs or asked.allocators):
        raise ViewError("an attack brings its own requests: give --attack with --architecture, and nothing else")
    if attack and asked.strategy is not None:
        raise ViewError("--strategy is the core's; an attack runs on the reference allocator over --architecture")
    if attack and (asked.image or asked.format or asked.limit != LIMIT):
        raise ViewError("--image, --from and --events are for inputs; an attack has none, and is drawn whole")
    if not attack and not inputs:
        raise ViewError("nothing to show: give a trace, a recording, a heap script, or --attack NAME")
    if seed and not attack:
        raise ViewError("--seed goes with --attack; nothing is drawn at random otherwise")
    if asked.limit < 1:
        raise ViewError(f"--events {asked.limit}: at least one event")


def _attacks(attack: str, on: Sequence[str], seed: int) -> list[Life]:
    """The attack on each defence."""
    from m4alloc.view.explorer.sources_attack import life_of_attack

    return [life_of_attack(attack, one, seed) for one in on or ("none",)]
