"""Carries out a plan: compiles what is to be run, runs it, and keeps what each run gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m4alloc._build import BuildError
from m4alloc.bench import heap_size, latency
from m4alloc.bench.analyse import Analysis, Subject
from m4alloc.bench.catalogue import BenchProgram
from m4alloc.bench.job import Job, Kind, Plan, expected_seconds, total_seconds
from m4alloc.bench.launch import Launcher, Run, tool
from m4alloc.bench.peer import GLIBC, Peer
from m4alloc.bench.state import Measured, State
from m4alloc.check.progress import Progress
from m4alloc.check.surroundings import Interrupts
from m4alloc.program import Program
from m4alloc.view.quantity import duration, plural

PERIOD = 0.001
"""Seconds between two looks at the resident memory, at first; launch.c makes it longer in long runs."""
POINTS = 240
"""Of a curve of memory that are kept."""


class BenchError(ValueError):
    """The request itself was at fault: what was wrong, and what would be right."""


@dataclass(slots=True)
class Bench:
    """Carries out a plan, as far as it has not been carried out yet.

    program: the user's own, or None. folder: for what is compiled. interrupts: true once SIGINT came.
    """

    plan: Plan
    peers: Sequence[Peer]
    listed: Sequence[BenchProgram]
    program: Program | None
    state: State
    quick: bool
    timeout: float
    folder: Path
    interrupts: Interrupts

    @property
    def analysis(self) -> Analysis:
        """What the runs so far come to."""
        expected: dict[Subject, str] = {}
        for program in self.listed if self.quick else ():
            if program.short_checksum:
                expected[program.name, program.threads if program.scales else 0] = program.short_checksum
        return Analysis(self.plan, {one.name: one for one in self.listed}, self.state.runs, expected)

    def run(self, progress: Progress, tell: Callable[[str], None]) -> bool:
        """Do what is left to do; whether all is done at the end. Raises BuildError, AllocatorError, BenchError."""
        left = [job for job in self.plan.jobs() if job.key not in self.state.runs]
        if not left:
            return True
        launcher = Launcher(self.folder)
        for peer in self.peers:
            launcher.probe(peer)
        with progress:
            progress.phase("compiling", len(self.listed))
            executables = {}
            for number, program in enumerate(self.listed, 1):
                try:
                    executables[program.name] = program.compile()
                except BuildError:
                    if not self.interrupts:  # the terminal interrupts the compiler, too
                        raise
                if self.interrupts:
                    return False
                progress.advance(number)
            trials = [job for job in left if job.kind is Kind.TRIAL]
            if trials and not self.carry_out(launcher, executables, trials, progress, "trial runs on glibc"):
                return False
        self.check_trial()
        left = [job for job in left if job.kind is not Kind.TRIAL and not self.analysis.passed_over(job)]
        tell(self.told(left))
        with progress:
            return self.carry_out(launcher, executables, left, progress, "seconds of work")

    def trials(self) -> dict[Subject, float]:
        """Program and threads to seconds on glibc."""
        runs = self.state.runs
        jobs = [job for job in self.plan.jobs() if job.kind is Kind.TRIAL and job.key in runs]
        return {(job.name, job.number): runs[job.key].wall for job in jobs}

    def check_trial(self) -> None:
        """Raise BenchError when a user's own program cannot be run at all."""
        if self.program is not None:
            trial = self.state.runs[Job(Kind.TRIAL, *self.analysis.subjects()[0], GLIBC).key]
            if trial.error:
                raise BenchError(f"{self.program.argv[0]} on glibc: {trial.error}")

    def told(self, left: Sequence[Job]) -> str:
        """What is about to be done and how long that takes, as far as glibc's times tell."""
        seconds = total_seconds(left, self.trials(), self.quick)
        done = len([job for job in self.plan.jobs() if job.kind is not Kind.TRIAL]) - len(left)
        before = f" ({done:,} are done)" if done else ""
        programs = plural(len(self.plan.programs), "program")
        return (
            f"{programs} on {plural(len(self.plan.peers), 'allocator')}, {plural(self.plan.rounds, 'round')}: "
            f"{plural(len(left), 'run')}{before}, about {duration(max(seconds, 0.1))} if all were as fast as glibc"
        )

    def carry_out(
        self, launcher: Launcher, executables: dict[str, Path], jobs: Sequence[Job], progress: Progress, phase: str
    ) -> bool:
        """Make these runs; whether none was left when it was interrupted."""
        trials, spent = self.trials(), 0.0
        total = total_seconds(jobs, trials, self.quick)
        progress.phase(phase, max(1, round(total)) if total else len(jobs))
        for number, job in enumerate(jobs, 1):
            if not self.analysis.passed_over(job):
                try:
                    self.interrupts.at_once = True
                    if self.interrupts:
                        return False
                    measured = self.measure(launcher, executables, job)
                except KeyboardInterrupt:
                    return False
                finally:
                    self.interrupts.at_once = False
                self.state.add(job, measured)
            spent += expected_seconds(job, trials, self.quick)
            progress.advance(min(round(spent), max(1, round(total))) if total else number)
        return True

    def measure(self, launcher: Launcher, executables: dict[str, Path], job: Job) -> Measured:
        """Make one run. Raises KeyboardInterrupt, OSError."""
        peer = next(peer for peer in self.peers if peer.name == job.peer)
        if job.kind is Kind.LATENCY:
            argv = [str(tool("latency")), *latency.arguments(self.quick, self.plan.seed)]
            run = launcher.run(argv, peer, timeout=self.timeout)
            return self.harness(run, latency.read)
        if job.kind is Kind.HEAP_SIZE:
            argv = [str(tool("heap_size")), *heap_size.arguments(job.number, self.plan.seed, self.quick)]
            run = launcher.run(argv, peer, timeout=self.timeout)
            return self.harness(run, heap_size.read)
        if self.program is not None:
            argv, path = list(self.program.argv), str(self.program.path)
        else:
            program = next(one for one in self.listed if one.name == job.name)
            threads = 0 if job.kind is Kind.HEADLINE else job.number
            argv, path = program.command(executables[job.name], quick=self.quick, threads=threads), ""
        copies = job.number if job.kind is Kind.HEADLINE else 1
        period = PERIOD if job.kind is Kind.MEMORY else 0.0
        run = launcher.run(argv, peer, path=path, copies=copies, period=period, timeout=self.timeout)
        return self.whole_program(job, run)

    def harness(self, run: Run, read: Callable[[str], dict[str, Any]]) -> Measured:
        """What a harness of ours gave."""
        output = run.output.decode(errors="replace")
        error = run.ended()
        operations, checksum = last_lines(output)
        detail = {} if error else read(output)
        return Measured(error, run.wall, run.user, run.system, run.peak, operations, checksum, run.status, detail)

    def whole_program(self, job: Job, run: Run) -> Measured:
        """What a program gave."""
        error = run.ended()
        operations, output = last_lines(run.output.decode(errors="replace"))
        if self.program is not None:
            operations, output = 0, run.digest
            trial = self.state.runs.get(Job(Kind.TRIAL, job.name, job.number, GLIBC).key)
            # Its own failure is its own affair, as long as it is the same everywhere.
            right = run.status if trial is None else trial.status
            error = "" if run.status == right >= 0 and not run.timed_out else error or "ended with status 0"
            error += f", on glibc with {right}" if error and trial is not None and not run.timed_out else ""
        elif not error and not output:
            error = "printed no checksum"
        detail = thinned(run.samples) if job.kind is Kind.MEMORY else {}
        return Measured(error, run.wall, run.user, run.system, run.peak, operations, output, run.status, detail)


def last_lines(output: str) -> tuple[int, str]:
    """The number of operations and the checksum that the last two lines name; 0 and "" when they do not.

    >>> last_lines("hello\\noperations 12\\nchecksum 00ff\\n"), last_lines("hello")
    ((12, '00ff'), (0, ''))
    """
    words = [line.split() for line in output.splitlines()[-2:]]
    match words:
        case [["operations", count], ["checksum", digest]] if count.isdigit():
            return int(count), digest
    return 0, ""


def thinned(samples: Sequence[tuple[float, int]]) -> dict[str, list[float]]:
    """A curve of at most POINTS points, each the largest of its neighbours.

    >>> thinned([(0.0, 1), (0.5, 3)])
    {'seconds': [0.0, 0.5], 'resident': [1, 3]}
    """
    step = -(-len(samples) // POINTS) or 1
    groups = [samples[at : at + step] for at in range(0, len(samples), step)]
    return {
        "seconds": [group[0][0] for group in groups],
        "resident": [max(resident for _, resident in group) for group in groups],
    }
