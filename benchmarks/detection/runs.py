"""Compile the cases, run one of them on an allocator, and say how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from m4alloc.bench.peer import Peer

FOLDER = Path(__file__).parent
FLAGS = ("-std=gnu17", "-O1", "-fno-builtin", "-Wall", "-Wextra", "-pthread")
CASE_LIMIT = 5
"""Seconds after which a case hangs; most end within 10 milliseconds."""
CONTROL_LIMIT = 120
"""Seconds for the control runs of a category, together."""


class Verdict(Enum):
    """How a run of a case ended."""

    MESSAGE = "message at the call"
    FAULT = "fault at the call"
    LATE = "later"
    PREVENTED = "prevented"
    HARMLESS = "harmless"
    MISSED = "not caught"
    AT_EXIT = "at exit"
    HANG = "hang"
    NOT_OFFERED = "not offered"
    BROKEN = "not prepared"

    @property
    def caught(self) -> bool:
        """Whether the wrong operation was stopped, by whatever means, before the program's NOT_CAUGHT line.

        Nobody's credit: an operation ignored in silence, a hang, an objection after that line.
        """
        return self in (Verdict.MESSAGE, Verdict.FAULT, Verdict.LATE, Verdict.PREVENTED)

    @property
    def at_the_call(self) -> bool:
        """Whether the wrong operation itself did not return."""
        return self in (Verdict.MESSAGE, Verdict.FAULT)


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that no program may do, at one size."""

    category: str
    name: str
    size: int
    does: str
    catcher: str

    def __str__(self) -> str:
        return f"{self.name} {self.size}" if self.size else self.name


@dataclass(frozen=True, slots=True)
class Subject:
    """An allocator with its settings, by the name it has in the tables."""

    name: str
    peer: Peer
    strategy: str = ""

    def environment(self) -> dict[str, str]:
        """What a child gets: the allocator preloaded, and M4ALLOC_STRATEGY."""
        return self.peer.environment() | ({"M4ALLOC_STRATEGY": self.strategy} if self.strategy else {})


@dataclass(frozen=True, slots=True)
class Ran:
    """The verdict on one run and the first line of what the allocator said."""

    verdict: Verdict
    message: str = ""


def compile_cases(directory: Path, *more_flags: str) -> Path:
    """The program of all cases, in which the calls of malloc are calls of malloc. Cost: a second.

    Raises subprocess.CalledProcessError: the compiler refused.
    """
    program = directory / "cases"
    words = ["gcc", *FLAGS, *more_flags, *map(str, sorted(FOLDER.glob("*.c"))), "-ldl", "-o", str(program)]
    subprocess.run(words, check=True)
    return program


def cases(program: Path) -> list[Case]:
    """Every case, in the order of its table."""
    done = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return [Case(category, name, int(size), does, catcher) for category, name, size, does, catcher in rows]


def judge(status: int, out: str, err: str) -> Ran:
    """The verdict on a run that ended with `status` (-N: by signal N).

    >>> judge(-6, "ARMED\\n", "double free\\n")
    Ran(verdict=<Verdict.MESSAGE: 'message at the call'>, message='double free')
    >>> judge(-11, "ARMED\\nRETURNED\\n", "").verdict
    <Verdict.LATE: 'later'>
    """
    lines = out.splitlines()
    message = err.strip().split("\n")[0]
    last = lines[-1] if lines else ""
    if last.startswith("NOT_CAUGHT"):
        stopped = Verdict.AT_EXIT if status else None
        return Ran(stopped or (Verdict.HARMLESS if last.endswith("harmless") else Verdict.MISSED), message)
    if status == 0 and last in ("PREVENTED", "NOT_OFFERED"):
        return Ran(Verdict[last], message)
    if status == 0 or "ARMED" not in lines:
        return Ran(Verdict.BROKEN, message or last)
    if lines.count("RETURNED") == lines.count("ARMED"):
        return Ran(Verdict.LATE, message or signal_name(status))
    spoke = status in (-signal.SIGABRT, -signal.SIGTRAP) or status > 0
    return Ran(Verdict.MESSAGE if spoke else Verdict.FAULT, message or signal_name(status))


def signal_name(status: int) -> str:
    """SIGSEGV for -11, "status 1" for 1."""
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def run_case(program: Path, case: Case, environment: Mapping[str, str], limit: float = CASE_LIMIT) -> Ran:
    """Run a case in a child of its own. limit: seconds."""
    words = [str(program), case.name, str(case.size)]
    with subprocess.Popen(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        start_new_session=True,
    ) as child:
        try:
            out, err = child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
            return Ran(Verdict.MISSED if "NOT_CAUGHT" in out else Verdict.HANG, err.strip().split("\n")[0])
    return judge(child.returncode, out, err)


def run_repeatedly(program: Path, case: Case, environment: Mapping[str, str], repeat: int) -> list[Ran]:
    """Run a case `repeat` times; one that hangs is not tried again."""
    ran = [run_case(program, case, environment)]
    while len(ran) < repeat and ran[-1].verdict is not Verdict.HANG:
        ran.append(run_case(program, case, environment))
    return ran


def run_all(
    program: Path, chosen: Sequence[Case], subjects: Iterable[Subject], repeat: int, jobs: int
) -> Iterator[tuple[Subject, dict[Case, list[Ran]]]]:
    """One subject after the other: what became of every case in each of its `repeat` runs, `jobs` at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        for subject in subjects:
            environment = subject.environment()
            ran = pool.map(lambda case, given=environment: run_repeatedly(program, case, given, repeat), chosen)
            yield subject, dict(zip(chosen, ran, strict=True))


def false_alarm(program: Path, subject: Subject, category: str) -> str | None:
    """Take the steps of a category's cases without the wrong one; what the allocator objected to, or None.

    All in one process, so that the heap has seen use. Cost: a tenth of a second.
    """
    try:
        done = subprocess.run(
            [program, "--control-all", category],
            env=subject.environment(),
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=CONTROL_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{category}: not done after {CONTROL_LIMIT} s"
    if done.returncode == 0 and not done.stderr:
        return None
    at = next((line for line in reversed(done.stdout.splitlines()) if ": " in line), category)
    return f"{at}: {done.stderr.strip() or signal_name(done.returncode)}"
