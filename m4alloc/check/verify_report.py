"""What `verify` found, as data: everything its text, its page and its JSON say comes from here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from m4alloc.check.compare import Comparison, Side
from m4alloc.check.heap_life import HeapLife, Moment
from m4alloc.view.raster import Blocks, Raster

SCHEMA = "m4alloc/1"

FAIL_ON = (
    "misuse",
    "double-free",
    "invalid-free",
    "interior-free",
    "use-after-free",
    "out-of-bounds",
    "size-mismatch",
    "leak",
    "output",
    "status",
)
"""What `--fail-on` takes: any misuse, one kind of it, blocks alive at exit, output that differs from the other
allocator's, a program that failed."""


class Verdict(StrEnum):
    """The answer: the allocator kept every rule that was observed, broke one, or nothing could be decided."""

    HOLDS = "HOLDS"
    VIOLATED = "VIOLATED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule in force: how many replies were evidence for or against it, and how many broke it."""

    name: str
    sentence: str
    source: str
    observed: int
    refused: int


@dataclass(frozen=True, slots=True)
class Found:
    """One finding: of the allocator (family "violation", name the rule) or the program ("misuse", name the kind).

    image: index into `VerifyReport.images`. event: its begin number in that image.
    after_misuse: begin number of the misuse after which the standards promise nothing more; 0 when there was none.
    """

    family: str
    name: str
    message: str
    image: int
    event: int
    after_misuse: int = 0


@dataclass(frozen=True, slots=True)
class PropertyFound:
    """What the recording says of one temporal property.

    index, about: as in `spec.property`. asked: whether `--property` asked for it. answer: HOLDS, VIOLATED,
    INCONCLUSIVE, or "not observed". observed: letters of its words; instances: words.
    missing: what there was no evidence of; a violation is then one whatever that was.
    violated: words that violate it whatever follows; unfulfilled: words that only a longer run could have satisfied,
    and the bytes of the blocks handed out last in them. at_exit: violated only because the run is over.
    message, image, event: the first violation. after_misuse: as in Found.
    """

    name: str
    formula: str
    index: str
    sentence: str
    about: str
    asked: bool
    answer: str
    observed: int
    instances: int
    violated: int
    unfulfilled: int
    bytes: int
    at_exit: bool
    missing: tuple[str, ...] = ()
    message: str = ""
    image: int = 0
    event: int = 0
    after_misuse: int = 0

    @property
    def fails(self) -> bool:
        """Whether its violation is one of the report: the innocent program's allocator's, or asked for."""
        return self.answer == "VIOLATED" and (self.asked or (self.about == "allocator" and not self.after_misuse))

    @property
    def told(self) -> bool:
        """Whether its first violation is worth telling: those at exit are counted, unless they were asked for."""
        return self.asked or not self.at_exit

    @property
    def undecided(self) -> bool:
        """Whether it was asked for and there is no answer."""
        return self.asked and self.answer not in ("VIOLATED", "HOLDS")


@dataclass(frozen=True, slots=True)
class Survivors:
    """Blocks alive when a process left through exit(): what a leak checker would look at."""

    blocks: int = 0
    bytes: int = 0

    def __add__(self, other: Survivors) -> Survivors:
        return Survivors(self.blocks + other.blocks, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class Image:
    """One process image: a process between exec and exec, or between fork and exit.

    checked: calls judged, fewer than `requests` only when interrupted. ended: why the trace ends. raster, blocks:
    what the heap map draws, the blocks one by one when there are few.
    """

    pid: int
    image: int
    parent: int | None
    """Index of the image that forked this one; None when it started from an empty heap."""
    command: tuple[str, ...]
    allocator: str
    thread_ids: frozenset[int]
    requests: int
    checked: int
    ended: str
    complete: bool
    survivors: Survivors
    life: HeapLife
    raster: Raster | None = field(default=None, compare=False, repr=False)
    blocks: Blocks | None = field(default=None, compare=False, repr=False)

    @property
    def threads(self) -> int:
        """Threads that called the allocator."""
        return len(self.thread_ids)


@dataclass(frozen=True, slots=True)
class Replay:
    """The trace replayed natively: seconds on our allocator and on the other, medians."""

    ours: float
    other: float

    @property
    def ratio(self) -> float:
        return self.ours / self.other


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """A program's run on an allocator, judged.

    status: the program's own, 128 + n when signal n killed it; None when the recording does not say.
    admitted: replies that no rule objected to. seconds: time the judging took.
    trace, script, page: files written, as the user would name them; empty when there is none.
    """

    command: tuple[str, ...]
    allocator: str
    standard: str
    status: int | None
    images: tuple[Image, ...]
    rules: tuple[RuleCount, ...]
    violations: tuple[Found, ...]
    refused: int
    misuses: tuple[Found, ...]
    misuse_counts: Mapping[str, int]
    seconds: float
    properties: tuple[PropertyFound, ...] = ()
    comparison: Comparison | None = None
    replay: Replay | None = None
    notes: tuple[str, ...] = ()
    fail_on: tuple[str, ...] = ()
    seed: int = 0
    interrupted: bool = False
    trace: str = ""
    script: str = ""
    page: str = ""

    @property
    def requests(self) -> int:
        """Calls recorded, in all images."""
        return sum(image.requests for image in self.images)

    @property
    def checked(self) -> int:
        """Calls judged."""
        return sum(image.checked for image in self.images)

    @property
    def admitted(self) -> int:
        return self.checked - self.refused

    @property
    def processes(self) -> int:
        return len({image.pid for image in self.images})

    @property
    def threads(self) -> int:
        """Threads that called the allocator, in all processes; one that goes on after exec counts once."""
        return len({(image.pid, thread) for image in self.images for thread in image.thread_ids})

    @property
    def main(self) -> Image | None:
        """The image with the most requests, whose heap the report describes."""
        return max(self.images, key=lambda image: image.requests, default=None)

    @property
    def survivors(self) -> Survivors:
        return sum((image.survivors for image in self.images), Survivors())

    @property
    def verdict(self) -> Verdict:
        """VIOLATED when the allocator broke a rule or a property while the program had kept its own side.

        A property that was asked for counts whoever is to blame, and when it has no answer nothing is decided.
        """
        if any(not violation.after_misuse for violation in self.violations) or self.failed_properties:
            return Verdict.VIOLATED
        observed = self.checked and any(rule.observed for rule in self.rules)
        decided = observed and self.checked == self.requests and not any(one.undecided for one in self.properties)
        return Verdict.HOLDS if decided else Verdict.UNDECIDED

    @property
    def failed_properties(self) -> tuple[PropertyFound, ...]:
        """The properties that were violated and count."""
        return tuple(one for one in self.properties if one.fails)

    @property
    def failed_on(self) -> tuple[str, ...]:
        """The kinds asked for with `--fail-on` that did occur."""
        occurred = {kind for kind, number in self.misuse_counts.items() if number}
        if occurred:
            occurred.add("misuse")
        if self.survivors.blocks:
            occurred.add("leak")
        if self.comparison is not None and self.comparison.output == "differs":
            occurred.add("output")
        if self.status:
            occurred.add("status")
        return tuple(kind for kind in self.fail_on if kind in occurred)

    @property
    def exit_status(self) -> int:
        """0 holds, 1 violated or failed on request, 3 nothing decided, 130 interrupted."""
        if self.verdict is Verdict.VIOLATED or self.failed_on:
            return 1
        if self.interrupted:
            return 130
        return 0 if self.verdict is Verdict.HOLDS else 3

    def _repr_html_(self) -> str:
        """For notebooks: the verdict, and the report as the command prints it."""
        from m4alloc.check.verify_text import lines
        from m4alloc.view.notebook_report import report

        return report(self.verdict.value, lines(self))

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values, as docs/json-schema/verify.json describes them. Curves included, maps not."""
        return {
            "schema": SCHEMA,
            "verb": "verify",
            "verdict": self.verdict.value,
            "exit_status": self.exit_status,
            "failed_on": list(self.failed_on),
            "interrupted": self.interrupted,
            "command": list(self.command),
            "allocator": self.allocator,
            "standard": self.standard,
            "seed": self.seed,
            "program_status": self.status,
            "recorded": {"requests": self.requests, "processes": self.processes, "threads": self.threads},
            "contract": {
                "checked": self.checked,
                "admitted": self.admitted,
                "refused": self.refused,
                "seconds": self.seconds,
                "rules": [_fields(rule) for rule in self.rules],
            },
            "properties": [{**_fields(one), "missing": list(one.missing)} for one in self.properties],
            "violations": [_fields(found) for found in self.violations],
            "misuses": {
                "counts": dict(sorted(self.misuse_counts.items())),
                "findings": [_fields(found) for found in self.misuses],
            },
            "alive_at_exit": _fields(self.survivors),
            "images": [_image(image) for image in self.images],
            "comparison": None if self.comparison is None else _comparison(self.comparison),
            "replay": None
            if self.replay is None
            else {"ours": self.replay.ours, "other": self.replay.other, "ratio": self.replay.ratio},
            "notes": list(self.notes),
            "files": {"report": self.page or None, "trace": self.trace or None, "script": self.script or None},
        }


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a flat dataclass by name."""
    return {name: getattr(value, name) for name in value.__slots__}


def _moment(moment: Moment) -> dict[str, Any]:
    return {**_fields(moment), "internal": moment.internal, "external": moment.external}


def _image(image: Image) -> dict[str, Any]:
    life = image.life
    return {
        "pid": image.pid,
        "image": image.image,
        "parent": image.parent,
        "command": list(image.command),
        "allocator": image.allocator,
        "threads": image.threads,
        "requests": image.requests,
        "checked": image.checked,
        "ended": image.ended,
        "complete": image.complete,
        "alive_at_exit": _fields(image.survivors),
        "heap": {
            "allocated": life.allocated,
            "inherited": life.inherited,
            "peak": _moment(life.peak),
            "last": _moment(life.last),
            "footprint_peak": life.footprint_peak,
            "curve": {
                name: [getattr(moment, name) for moment in life.curve]
                for name in ("request", "live", "usable", "footprint", "blocks")
            },
            "classes": [_fields(one) for one in life.classes],
            "sizes": [_fields(one) for one in life.sizes],
            "lifetimes": [{"requests": bound, "blocks": blocks} for bound, blocks in life.lifetimes],
        },
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    def side(one: Side) -> dict[str, Any]:
        return {
            "allocator": one.allocator,
            "seconds": one.seconds,
            "peak_bytes": one.peak_bytes,
            "runs": [_fields(run) for run in one.runs],
        }

    return {
        "ours": side(comparison.ours),
        "other": side(comparison.other),
        "time_ratio": comparison.time_ratio,
        "peak_ratio": comparison.peak_ratio,
        "peak_floor_bytes": comparison.floor_bytes,
        "output": comparison.output.value,
    }


_PYTHON = re.compile(r"python[23]?(\.\d+)?t?d?\Z")


def interpreter_note(executable_name: str, environment: Mapping[str, str]) -> str:
    """What to say when the program is a CPython whose own allocator stands in front of malloc; else nothing.

    >>> interpreter_note("python3.11", {"PYTHONMALLOC": "malloc"})
    ''
    >>> interpreter_note("python3", {})[:57]
    'python3 has an allocator of its own (pymalloc) that hides'
    """
    if not _PYTHON.match(executable_name) or environment.get("PYTHONMALLOC", "").startswith("malloc"):
        return ""
    return (
        f"{executable_name} has an allocator of its own (pymalloc) that hides nearly all requests of Python code: "
        "run it with PYTHONMALLOC=malloc in the environment to see them"
    )
