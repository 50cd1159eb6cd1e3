"""Promise: one thing that a step asks for; what breaks it is told as a history, what happened, and a hint."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import NamedTuple

SECONDS = 5.0
COURSE = Path(__file__).resolve().parent
EXERCISES = COURSE.parent


class BrokenPromise(Exception):  # noqa: N818 - a finding, not an error of the course
    """A promise does not hold.

    happened: what was seen, in one or two sentences. history: what led to it, a line each. hint: in place of the
    promise's own. stuck: the heap did not answer.
    """

    def __init__(self, happened: str, history: Sequence[str] = (), hint: str = "", *, stuck: bool = False) -> None:
        super().__init__(happened)
        self.happened = happened
        self.history = tuple(history)
        self.hint = hint
        self.stuck = stuck


class StuckError(Exception):
    """The student's code did not come back in time."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing asked for: a name, a sentence, a hint for who breaks it, and the test.

    test: is given the student's module and raises BrokenPromise. What else it raises is the student's exception.
    """

    name: str
    sentence: str
    hint: str
    test: Callable[[ModuleType], None]


class Result(NamedTuple):
    """What became of one promise; `broken` is None where it holds."""

    promise: Promise
    broken: BrokenPromise | None


def judge(promise: Promise, module: ModuleType) -> Result:
    """Test one promise on a student's module. It does not raise.  Cost: at most SECONDS.

    >>> def test(module: ModuleType) -> None:
    ...     raise BrokenPromise("0x10001 is odd", ["a = malloc 1"])
    >>> judge(Promise("even", "Addresses are even.", "Round up.", test), ModuleType("heap")).broken.happened
    '0x10001 is odd'
    """
    try:
        with limited(SECONDS):
            promise.test(module)
    except BrokenPromise as broken:
        return Result(promise, broken)
    except StuckError as error:
        what = f"The heap had not answered after {SECONDS:g} seconds{where(error)}."
        hint = "Look for a loop that no longer comes nearer to its end."
        return Result(promise, BrokenPromise(what, hint=hint, stuck=True))
    except (Exception, SystemExit) as error:
        return Result(promise, raised(error))
    return Result(promise, None)


def raised(error: Exception | SystemExit, history: Sequence[str] = (), hint: str = "") -> BrokenPromise:
    """A student's exception as a finding: what it was, and the line of theirs that it came from."""
    said = f": {error}" if str(error) else ""
    return BrokenPromise(f"The heap raised {type(error).__name__}{said}{where(error)}.", history, hint or slip(error))


def slip(error: BaseException) -> str:
    """The hint for an exception that says nothing of the promise: a name that is not there.

    >>> slip(NameError("name 'addres' is not defined")).partition(":")[0], slip(KeyError(0))
    ('A slip of the pen', '')
    """
    if not isinstance(error, NameError | AttributeError | ImportError) or "NoneType" in str(error):
        return ""
    return "A slip of the pen: there is nothing of that name. Mend the line, and run again."


def where(error: BaseException) -> str:
    """The innermost line that is the student's own, as text; nothing if there is none.

    >>> where(ValueError("from nowhere"))
    ''
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if EXERCISES in (above := Path(frame.filename).resolve().parents) and COURSE not in above
    ]
    if not own:
        return ""
    last = own[-1]
    line = f": {last.line}" if last.line else ""
    return f", in {last.name}(), {Path(last.filename).name} line {last.lineno}{line}"


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise StuckError inside the block once it has taken so long. Only in the main thread of a Unix system."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise StuckError

    try:
        before = signal.signal(signal.SIGALRM, stop)
    except (ValueError, AttributeError):  # another thread, or no such signal
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
