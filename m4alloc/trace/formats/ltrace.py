"""ltrace's lines: `malloc(24) = 0x55d5c0`, with any of its prefixes, calls that finish later, and villoc's annotations.

What was called from where decides what is seen: without `-e '...@*'` only the calls that the program itself makes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from m4alloc.check.progress import Progress
from m4alloc.trace.formats.compressed import decompressed
from m4alloc.trace.formats.history import History, of_records, records_of
from m4alloc.trace.formats.lines import lines_of, shown
from m4alloc.trace.formats.ltrace_calls import FAMILY, Call, call_of
from m4alloc.trace.formats.problem import FormatError
from m4alloc.view.quantity import plural
from spec.event import ALLOCATING, FREEING, RESIZING, Event, Function

_PREFIX = (
    r"\s*(?:\[pid\s+(?P<pid>\d+)\]\s+|(?P<tid>\d+)\s+)?"
    r"(?:(?P<clock>\d\d:\d\d:\d\d(?:\.\d+)?|\d+\.\d+)\s+)?"
    r"(?:\[(?P<site>0x[0-9a-f]+)\]\s+)?(?:[^\s()<>]+->)?"
)
_CLOCK = re.compile(_PREFIX)
_BEGIN = re.compile(
    _PREFIX + rf"(?P<name>{FAMILY})(?:@[^\s()]+)?\((?P<arguments>[^()]*?)\s*"
    r"(?:(?P<left><unfinished \.\.\.>|<no return \.\.\.>)|\)\s*=\s*(?P<result>\S+)(?:\s+<[\d.]+>)?)\s*"
)
_RESUMED = re.compile(
    _PREFIX
    + rf"<\.\.\. (?P<name>{FAMILY})(?:@[^\s()]+)? resumed>\s*(?:[^=]*\))?\s*=\s*(?P<result>\S+)(?:\s+<[\d.]+>)?\s*"
)
_ABOUT = re.compile(_PREFIX + rf"(?:<\.\.\. )?(?:{FAMILY})(?:@[^\s()]+)?(?:\(| resumed>)")
LOWEST = 1 << 16
"""No block lies below: Linux gives no process pages there (vm.mmap_min_addr).

ltrace 0.7 gives some of the C library's own calls, which are resolved late, the name of another function; what such a
call returns is often no pointer at all.
"""
DAY = 86_400
"""Seconds: a time of day before the first is one of the next day."""
_LABEL = re.compile(r"\s*@villoc\((?P<text>.*)\)(?:\s*=\s*<void>)?\s*")


@dataclass(slots=True)
class _Open:
    """A call that has begun: its line, its event so far, and the calls made inside it, by place in the list."""

    line: int
    name: str
    call: Call
    event: Event
    inside: list[int] = field(default_factory=list)


def read_ltrace(path: Path, image: str, progress: Progress) -> History:
    """The calls of malloc, its family and C++'s operators, in the order in which they began.

    Each process or thread number is a thread. A call inside another one that hands out or frees the same block
    (operator new calls malloc) is left out. Other functions' lines are passed over.
    Raises FormatError: the line of a call that cannot be read, or no line is a call of the family.  Cost: 10 us a line.
    """
    reader = _Reader(path)
    content = decompressed(path)
    for number, line in lines_of(path, content, progress, "reading ltrace's lines"):
        reader.line(number, line, last=not content.endswith(b"\n") and number == content.count(b"\n") + 1)
    events = reader.finish()
    if not events:
        raise FormatError(path, "no call of malloc's family in it; ltrace writes such lines as 'malloc(24) = 0x5581c0'")
    try:
        records, labels = records_of(events)
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    return of_records(path, "ltrace", records, labels, notes=reader.notes)


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self.events: list[Event | None] = []
        self.open: dict[int, list[_Open]] = {}
        self.hidden: list[tuple[int, int]] = []  # posix_memalign's: alignment, place in events
        self.live: set[int] = set()
        self.first: float | None = None
        self.now = 0.0
        self.guessed = 0
        self.others = 0

    def line(self, number: int, line: str, last: bool) -> None:
        """Take one line; last: it has no end, so it may be cut off."""
        label = _LABEL.fullmatch(line) if "@villoc" in line else None
        if label is not None:
            self.events.append(
                Event(Function.LABEL, label=label["text"].replace("\0", ""), begin=2 * number, end=2 * number + 1)
            )
            return
        begin = _BEGIN.fullmatch(line)
        resumed = _RESUMED.fullmatch(line) if begin is None and " resumed>" in line else None
        clock = begin or resumed or _CLOCK.match(line)
        if clock is not None and clock["clock"]:
            self.tick(clock["clock"])
        if begin is None and resumed is None:
            found = _ABOUT.match(line)
            if found is None:
                return
            if last:
                self.notes.append(f"line {number} is cut off and left out")
                return
            what = f"expected a call and its result, found {shown(line)}"
            raise FormatError(self.path, what, line=number, column=found.end())
        match = begin or resumed
        assert match is not None
        thread = int(match["pid"] or match["tid"] or 0)
        stack = self.open.setdefault(thread, [])
        if begin is not None:
            call = call_of(self.path, number, line, begin["name"], begin["arguments"], begin.start("arguments"))
            site = int(begin["site"] or "0", 16)
            event = call.event._replace(thread=thread, site=site, begin=2 * number, time_ns=round(self.now * 1e9))
            opened = _Open(number, begin["name"], call, event)
            if begin["left"]:
                stack.append(opened)
            else:
                self.done(stack, opened, number, begin["result"])
            return
        for place in range(len(stack) - 1, -1, -1):
            if stack[place].name == match["name"]:
                opened = stack[place]
                del stack[place:]
                self.done(stack, opened, number, match["result"])
                return
        raise FormatError(
            self.path, f"{match['name']} resumes here, and no line before says that it began", line=number, column=1
        )

    def tick(self, text: str) -> None:
        """The clock: time of day (-t), seconds since 1970 (-ttt), or since the line before (-r)."""
        if ":" in text:
            hours, minutes, seconds = text.split(":")
            value = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
            if self.first is not None and value < self.first:
                value += DAY
        else:
            value = float(text)
            if value < 1e6:
                self.now += value
                return
        if self.first is None:
            self.first = value
        self.now = max(self.now, value - self.first)

    def done(self, stack: list[_Open], opened: _Open, number: int, result: str) -> None:
        """A call has returned."""
        event = opened.call.returned(self.path, number, result, opened.event._replace(end=2 * number + 1))
        if 0 < event.result < LOWEST and event.function is not Function.USABLE_SIZE:
            self.others += 1
            return
        pointers = {event.address, event.result} - {0}
        kept = True
        for place in opened.inside:
            inner = self.events[place]
            if inner is None:
                continue
            if event.function is Function.POSIX_MEMALIGN and not event.errno and inner.function in ALLOCATING:
                kept = False
            elif pointers & {inner.address, inner.result}:
                self.events[place] = None
        if not kept:
            return
        place = len(self.events)
        self.events.append(event)
        if stack:
            stack[-1].inside += [*opened.inside, place]
        self.follow(event, place)

    def follow(self, event: Event, place: int) -> None:
        """Keep in mind what lives; the block of a posix_memalign, which ltrace does not show, by who frees it."""
        if event.function is Function.POSIX_MEMALIGN:
            if not event.errno:
                self.hidden.append((event.alignment, place))
            return
        if event.function in FREEING or event.function in RESIZING:
            if event.address and event.address not in self.live:
                for index, (alignment, made) in enumerate(self.hidden):
                    if alignment and event.address % alignment == 0:
                        hidden = self.events[made]
                        assert hidden is not None
                        self.events[made] = hidden._replace(result=event.address)
                        self.guessed += 1
                        del self.hidden[index]
                        break
            self.live.discard(event.address)
        if event.result and event.function is not Function.USABLE_SIZE:
            self.live.add(event.result)

    def finish(self) -> list[Event]:
        """The events in the order in which they began; without numbers when none overlaps another."""
        for _, place in self.hidden:
            self.events[place] = None
        pending = [opened for stack in self.open.values() for opened in stack]
        events = [event for event in self.events if event is not None]
        events += [opened.event for opened in pending]
        events.sort(key=lambda event: event.begin)
        if self.guessed:
            self.notes.append(f"posix_memalign's lines show no block: {self.guessed} found by who frees it later")
        if self.hidden:
            self.notes.append(
                f"{plural(len(self.hidden), 'posix_memalign')} left out: the block is not shown, nor freed"
            )
        if self.others:
            what = "what came back is no pointer, so it was another function"
            self.notes.append(f"{plural(self.others, 'call')} left out: {what}")
        if pending:
            self.notes.append(f"{plural(len(pending), 'call')} had not returned when the log ended")
        latest = 0
        for event in events:
            if event.begin < latest or not event.end:
                return events
            latest = event.end
        return [event._replace(begin=0, end=0) for event in events]
