"""What a watched run came to: findings as libm4monitor.so writes them, and an answer for each property."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from m4alloc.trace.index import SCHEMA
from m4alloc.view.quantity import plural

CLASSES: Final = (
    *("use-after-free", "double-free", "invalid-free", "out-of-bounds", "uninitialised-read", "leak", "property"),
)
"""What a finding can be, the gravest first."""

HOLDS: Final = "HOLDS"
VIOLATED: Final = "VIOLATED"
INCONCLUSIVE: Final = "INCONCLUSIVE"
UNSEEN: Final = "not observed"
UNDECIDED: Final = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a stack: where it is, and what could be found out about it ("" and 0: nothing).

    address: where the call returns to. offset: of the call in the file `module`, as symbolizers take it.
    """

    address: int
    function: str = ""
    file: str = ""
    line: int = 0
    module: str = ""
    offset: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file or self.module
        return f"{self.function or hex(self.address)}{f' ({where})' if where else ''}"

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Frame:
        """From JSON."""
        return cls(
            _number(data.get("address")),
            data.get("function") or "",
            data.get("file") or "",
            _number(data.get("line")),
            data.get("module") or "",
            _number(data.get("offset")),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "address": hex(self.address),
            "function": self.function or None,
            "file": self.file or None,
            "line": self.line or None,
            "module": self.module or None,
            "offset": hex(self.offset),
        }


Stack: TypeAlias = tuple[Frame, ...]
"""Who called whom, the innermost first."""


@dataclass(frozen=True, slots=True)
class Access:
    """What was done, and where.

    how: "read", "write", "free", "realloc", "malloc", a label, "exit". function: of the C library, "" for none.
    """

    how: str
    address: int = 0
    size: int = 0
    function: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "how": self.how,
            "address": hex(self.address),
            "size": self.size,
            "function": self.function or None,
        }


@dataclass(frozen=True, slots=True)
class BlockStory:
    """The block that a finding is about.

    size: requested. life: "live" or "freed". offset: of the access from its first byte; None when there was none.
    born, died: the numbers of the events that handed it out and gave it up; died is 0 while it lives.
    """

    address: int
    size: int = 0
    life: str = "live"
    offset: int | None = None
    born: int = 0
    died: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "address": hex(self.address),
            "size": self.size,
            "life": self.life,
            "offset": self.offset,
            "born": self.born,
            "died": self.died or None,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was wrong, with the story of its block.

    class_: one of CLASSES. name: of the gravest property that it violated; violated: the names of all of them.
    verdict: "violated", or "violated at exit", when only the end of the program decided.
    access: None where nothing was accessed or given up. stacks: "here", and of the block "malloc" and "free".
    event: its number in the clock of `thread`. blocks, bytes: of a leak, or of a property at exit, all that are owed;
    of a label that is about no block, all that violate the property by it.
    reachable: of a leak; something still points there. trace: the file with what came before, "" for none.

    >>> Finding.of({"class": "double-free", "access": {"how": "free"}, "block": {"size": 16, "life": "freed"}})
    <Finding double-free: free, freed block of 16 bytes>
    """

    class_: str
    name: str
    formula: str
    violated: tuple[str, ...]
    verdict: str
    event: int
    thread: int
    pid: int
    command: str
    access: Access | None
    block: BlockStory | None
    stacks: Mapping[str, Stack]
    blocks: int = 0
    bytes: int = 0
    reachable: bool = False
    trace: str = ""

    def __repr__(self) -> str:
        """One line, for assertions that fail: what, where, of which block."""
        access = self.access
        did = f" {access.how}" if access else ""
        did += f" by {access.function}" if access and access.function else ""
        did += f" of {plural(access.size, 'byte')}" if access and access.size else ""
        many = f"{plural(self.blocks, 'block')} of {plural(self.bytes, 'byte')}" if self.blocks else ""
        did += f"{' at exit' if self.at_exit else ''}, {many}" if many else ""
        about = f", {self.block.life} block of {plural(self.block.size, 'byte')}" if self.block else ""
        stack = self.stacks.get("here") or self.stacks.get("malloc") or ()
        return f"<Finding {self.title}:{did}{about}{f', {stack[0]}' if stack else ''}>"

    @property
    def at_exit(self) -> bool:
        """Whether only the end of the program decided."""
        return self.verdict.endswith("exit")

    @property
    def title(self) -> str:
        """The class, and of a property its name."""
        return f"property {self.name}" if self.class_ == "property" else self.class_

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Finding:
        """From one line of the library's JSON. Members that are missing or null are empty."""
        access, block = data.get("access"), data.get("block")
        name = data.get("class") or "property"
        return cls(
            class_="property" if name.startswith("property") else name,
            name=data.get("property") or name.removeprefix("property "),
            formula=data.get("formula") or "",
            violated=tuple(data.get("violated") or ()),
            verdict=data.get("verdict") or "violated",
            event=_number(data.get("event")),
            thread=_number(data.get("thread")),
            pid=_number(data.get("pid")),
            command=data.get("command") or "",
            access=None if access is None else _access(access),
            block=None if block is None else _block(block),
            stacks={key: tuple(map(Frame.of, stack)) for key, stack in (data.get("stacks") or {}).items()},
            blocks=_number(data.get("blocks")),
            bytes=_number(data.get("bytes")),
            reachable=bool(data.get("reachable")),
            trace=data.get("trace") or "",
        )

    def to_json(self) -> dict[str, Any]:
        """As the library writes it."""
        return {
            "class": self.title,
            "property": self.name,
            "formula": self.formula,
            "violated": list(self.violated),
            "verdict": self.verdict,
            "event": self.event,
            "thread": self.thread,
            "pid": self.pid,
            "access": None if self.access is None else self.access.to_json(),
            "block": None if self.block is None else self.block.to_json(),
            "stacks": {key: [frame.to_json() for frame in stack] for key, stack in self.stacks.items()},
            "blocks": self.blocks,
            "bytes": self.bytes,
            "reachable": self.reachable,
            "trace": self.trace or None,
            "command": self.command,
        }


def _access(data: Mapping[str, Any]) -> Access:
    return Access(
        data.get("how") or "",
        _number(data.get("address")),
        _number(data.get("size")),
        data.get("function") or "",
    )


def _block(data: Mapping[str, Any]) -> BlockStory:
    offset = data.get("offset")
    return BlockStory(
        _number(data.get("address")),
        _number(data.get("size")),
        data.get("life") or "live",
        None if offset is None else int(offset),
        _number(data.get("born")),
        _number(data.get("died")),
    )


@dataclass(frozen=True, slots=True)
class PropertyAnswer:
    """What a run says of one property: HOLDS, VIOLATED, INCONCLUSIVE (the program did not come to its end) or UNSEEN.

    missing: the propositions of which there was no evidence. remark: what the answer leaves out; "" for nothing.
    """

    name: str
    formula: str
    index: str
    sentence: str
    asked: bool
    answer: str
    findings: int = 0
    missing: tuple[str, ...] = ()
    remark: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "formula": self.formula,
            "index": self.index,
            "sentence": self.sentence,
            "asked": self.asked,
            "answer": self.answer,
            "findings": self.findings,
            "missing": list(self.missing),
            "remark": self.remark,
        }


@dataclass(frozen=True, slots=True)
class MonitorReport:
    """A watched run.

    status: the program's, as a shell gives it. signal: what ended it; 0: it ended by itself.
    rebuilt: `m4alloc cc` built it, so that its accesses were seen.
    fails: classes, or "property:NAME", that make the run fail. suppressed: findings that were not told. notes: what was
    not covered. window: bytes of each size class that are freed before freed memory is used again; 0: not known.
    """

    program: tuple[str, ...]
    status: int
    pid: int
    rebuilt: bool
    findings: tuple[Finding, ...]
    properties: tuple[PropertyAnswer, ...]
    fails: tuple[str, ...] = CLASSES
    leaks: str = "unreachable"
    suppressed: int = 0
    notes: tuple[str, ...] = ()
    window: int = 0
    signal: int = 0
    seconds: float = 0.0
    timed_out: bool = False
    page: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each class.

        >>> MonitorReport((), 0, 1, False, (), ()).counts
        {}
        """
        found = Counter(finding.title for finding in self.failures)
        return dict(sorted(found.items()))

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that make the run fail; blocks that are still reachable are no leak unless all are asked for."""
        return tuple(finding for finding in self.findings if self.counts_as_failure(finding))

    def counts_as_failure(self, finding: Finding) -> bool:
        """Whether the run fails by this finding."""
        if finding.class_ == "leak" and finding.reachable and self.leaks != "all":
            return False
        return finding.class_ in self.fails or f"property:{finding.name}" in self.fails

    @property
    def verdict(self) -> str:
        """HOLDS, VIOLATED, or UNDECIDED: the program took too long, or a property asked for has no answer."""
        if self.failures:
            return VIOLATED
        silent = any(one.asked and one.answer in (UNSEEN, INCONCLUSIVE) for one in self.properties)
        return UNDECIDED if self.timed_out or silent else HOLDS

    @property
    def exit_status(self) -> int:
        """1 after a finding, 3 when nothing could be decided, else the program's own."""
        if self.failures:
            return 1
        return self.status if self.verdict == HOLDS else 3

    def to_json(self) -> dict[str, Any]:
        """The report as `m4alloc monitor --json` prints it.

        A finding has besides what the library writes the way of its block through the property's monitor.
        """
        from m4alloc.monitor.way import way  # which knows of formulas: not for whoever only reads findings

        return {
            "schema": SCHEMA,
            "verb": "monitor",
            "program": list(self.program),
            "status": self.status,
            "pid": self.pid,
            "rebuilt": self.rebuilt,
            "verdict": self.verdict,
            "exit_status": self.exit_status,
            "seconds": self.seconds,
            "timed_out": self.timed_out,
            "window_bytes": self.window,
            "properties": [one.to_json() for one in self.properties],
            "findings": [
                {**finding.to_json(), "way": [step.to_json() for step in way(finding)]} for finding in self.findings
            ],
            "counts": self.counts,
            "suppressed": self.suppressed,
            "notes": list(self.notes),
            "page": self.page or None,
        }


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """What a process said when it had come to its end.

    rebuilt: it said its accesses. exited: what it owed was judged; not so when it left by _exit. suppressed: findings
    that were not told. window: as in MonitorReport.
    """

    pid: int
    rebuilt: bool
    exited: bool = True
    suppressed: int = 0
    window: int = 0


def read_lines(path: Path) -> tuple[list[Finding], list[ProcessEnd]]:
    """The findings in the library's file of JSON lines, and the ends of processes; what is cut off is left out."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    findings: list[Finding] = []
    ends: list[ProcessEnd] = []
    for data in _parsed(text.splitlines()):
        if data.get("class") == "end":
            numbers = _number(data.get("suppressed")), _number(data.get("quarantine_bytes"))
            rebuilt, exited = bool(data.get("instrumented")), bool(data.get("exited", True))
            ends.append(ProcessEnd(_number(data.get("pid")), rebuilt, exited, *numbers))
        elif "class" in data:
            findings.append(Finding.of(data))
    return findings, ends


def _parsed(lines: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    for line in lines:
        try:
            data = json.loads(line)
        except ValueError:
            continue
        if isinstance(data, Mapping):
            yield data


def signal_name(number: int) -> str:
    """What a signal is called.

    >>> signal_name(11), signal_name(40)
    ('SIGSEGV', 'signal 40')
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _number(value: Any) -> int:
    """A number that JSON gives as such, or as text in hexadecimal.

    >>> _number("0x10"), _number(7), _number(None)
    (16, 7, 0)
    """
    if isinstance(value, str):
        return int(value, 0) if value else 0
    return int(value or 0)
