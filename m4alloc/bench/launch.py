"""One run of a program on an allocator: what it took, and what it printed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from m4alloc.bench.compiled import compiled
from m4alloc.bench.peer import Peer, bare_environment
from m4alloc.check.elf import wrong_with

PACKAGE = Path(__file__).resolve().parent
TOLD = 300
"""Characters of a program's stderr that a message repeats."""


class AllocatorError(ValueError):
    """A library that cannot be preloaded; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took and gave.

    status: the exit status; -n when signal n ended it. wall, user, system: seconds, of all copies together but for
    wall. peak: resident bytes of the largest process. samples: (seconds, resident bytes) in the course of time.
    """

    status: int
    wall: float
    user: float
    system: float
    peak: int
    samples: tuple[tuple[float, int], ...]
    output: bytes
    errors: str
    timed_out: bool = False

    @property
    def cpu(self) -> float:
        """Seconds of processor time."""
        return self.user + self.system

    @property
    def digest(self) -> str:
        """What tells one output from another."""
        return hashlib.sha256(self.output).hexdigest()[:16]

    def ended(self) -> str:
        """How it ended, in words; empty when it ended with status 0."""
        if self.timed_out:
            return f"did not end within {self.wall:.0f} s"
        if self.status == 0:
            return ""
        told = self.errors[-TOLD:].strip().replace("\n", " / ")
        how = f"status {self.status}" if self.status > 0 else signal.Signals(-self.status).name
        return f"ended with {how}{': ' if told else ''}{told}"


def tool(name: str) -> Path:
    """The compiled harness of that name. Raises BuildError."""
    return compiled(PACKAGE / f"{name}.c", "-ldl")


class Launcher:
    """Runs programs, with `folder` for what they leave. Raises BuildError.

    A run costs 1 ms more than the program.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = tool("launch")

    def run(
        self,
        argv: Sequence[str],
        peer: Peer,
        *,
        path: str = "",
        copies: int = 1,
        period: float = 0.0,
        timeout: float = 600.0,
        directory: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Run:
        """Run argv on an allocator, so many copies at once.

        path: the file to run, when argv[0] is not its absolute path. period: seconds between two looks at the resident
        memory, 0 for none. directory: the working directory. variables: added to the environment. stdin is empty.
        A run that is interrupted or takes longer than `timeout` is killed with its children. Raises OSError.
        """
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            result, output, errors = (Path(scratch) / name for name in ("result", "output", "errors"))
            added = [f"{name}={value}" for name, value in {**peer.variables(), **(variables or {})}.items()]
            words = [self.program, result, output, errors, copies, round(period * 1e6)]
            command = [*map(str, words), *added, "--", path or argv[0], *argv]
            with subprocess.Popen(command, env=bare_environment(), cwd=directory, start_new_session=True) as launcher:
                try:
                    code = launcher.wait(timeout)
                except subprocess.TimeoutExpired:
                    code = None
                finally:
                    if launcher.returncode is None:
                        with contextlib.suppress(ProcessLookupError):
                            os.killpg(launcher.pid, signal.SIGKILL)
            told = errors.read_text(errors="replace") if errors.exists() else ""
            if code is None:
                return Run(-signal.SIGKILL, timeout, 0, 0, 0, (), b"", told, timed_out=True)
            if code != 0:
                raise OSError(f"{argv[0]} could not be started on {peer.name}: {told.strip() or f'status {code}'}")
            lines = result.read_text().split("\n")
            status, wall, user, system, peak = (line.split()[1] for line in lines[:5])
            samples = tuple((float(at), int(size)) for at, size in (line.split() for line in lines[5:] if line))
            taken = output.read_bytes() if output.exists() else b""
            return Run(int(status), float(wall), float(user), float(system), int(peak), samples, taken, told)

    def probe(self, peer: Peer) -> None:
        """Make sure that a program's malloc is the allocator's. Raises AllocatorError."""
        if not peer.preload:
            return
        wrong = wrong_with(Path(peer.preload))
        if wrong:
            raise AllocatorError(f"{peer.name} ({peer.preload}): {wrong}")
        if any(mark in peer.preload for mark in " :"):
            raise AllocatorError(
                f"{peer.name} ({peer.preload}): LD_PRELOAD takes no path with a space or a colon in it"
            )
        run = self.run([str(tool("probe"))], peer, timeout=30)
        how = run.ended()
        if how:
            raise AllocatorError(f"{peer.name} ({peer.preload}): a program of one malloc {how}")
        seen = Path(os.fsdecode(run.output).strip())
        if seen.resolve() != Path(peer.preload).resolve():
            told = f" ({run.errors.strip()})" if run.errors.strip() else ""
            raise AllocatorError(f"{peer.name} ({peer.preload}): a program's malloc comes from {seen} instead{told}")
