"""From single runs to a report: which can be compared, ratios round by round, medians, means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean as mean

from m4alloc.bench.catalogue import BenchProgram
from m4alloc.bench.heap_size import NAMES
from m4alloc.bench.job import HEADLINE, Job, Kind, Plan
from m4alloc.bench.latency import KINDS, PERCENTILES
from m4alloc.bench.peer import GLIBC
from m4alloc.bench.report import (
    Cost,
    HeadlineResult,
    HeapSizeResult,
    LatencyResult,
    Mean,
    MeanResult,
    MemoryCurve,
    ProgramRow,
    Result,
    Sample,
)
from m4alloc.bench.state import Measured
from m4alloc.bench.statistic import mean_of, percentile, ratios, spread, trimmed

Subject = tuple[str, int]
"""A program and its number of threads."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that follows from the runs. expected: the checksum that a program must print, where it is known before."""

    plan: Plan
    programs: Mapping[str, BenchProgram]
    runs: Mapping[str, Measured]
    expected: Mapping[Subject, str]

    def of(self, kind: Kind, name: str, number: int, peer: str) -> dict[int, Measured]:
        """Round to the run, failed ones included."""
        jobs = (Job(kind, name, number, peer, round_) for round_ in range(self.plan.rounds))
        return {job.round: self.runs[job.key] for job in jobs if job.key in self.runs}

    def subjects(self) -> list[Subject]:
        """Every program at every number of threads."""
        return [(name, number) for name, numbers in self.plan.programs for number in numbers]

    # What went wrong.

    def reference(self, kind: Kind, name: str, number: int) -> str:
        """The output that is right: what is known, else what glibc gave in most of its runs; empty: there is none."""
        if kind is Kind.HEADLINE:
            kind, number = Kind.PROGRAM, 0
        if (name, number) in self.expected:
            return self.expected[name, number]
        base = [*self.of(kind, name, number, GLIBC).values()]
        base += [run for key, run in self.runs.items() if key == Job(Kind.TRIAL, name, number, GLIBC).key]
        outputs = Counter(run.output for run in base if not run.error)
        return outputs.most_common(1)[0][0] if outputs else ""

    def varies(self, subject: Subject) -> bool:
        """Whether a user's own program prints something else each time on glibc, so that outputs cannot be compared."""
        base = self.of(Kind.PROGRAM, *subject, GLIBC)
        return subject[0] not in self.programs and len({run.output for run in base.values() if not run.error}) > 1

    def error(self, kind: Kind, name: str, number: int, peer: str) -> str:
        """What went wrong in the runs of one thing on one allocator; empty when nothing did."""
        runs = self.of(kind, name, number, peer)
        failed = next((run.error for run in runs.values() if run.error), "")
        if failed:
            return failed
        right = self.reference(kind, name, number)
        if right and not self.varies((name, number)):
            what = "output (its digest)" if name and name not in self.programs else "checksum"
            for round_, run in runs.items():
                if run.output != right:
                    return f"round {round_ + 1}: {what} {run.output or 'missing'}; right is {right}"
        return ""

    def errors(self) -> list[str]:
        """A line for each failure: the allocator, the program, what happened."""
        lines = []
        for name, number in self.subjects():
            trial = self.runs.get(Job(Kind.TRIAL, name, number, GLIBC).key)
            if trial is not None and trial.error:
                lines.append(f"{GLIBC}: {labelled(name, number)}: {trial.error}; the program is left out")
        kinds: list[tuple[Kind, str, int]] = [(Kind.PROGRAM, *subject) for subject in self.subjects()]
        kinds += [(Kind.HEADLINE, HEADLINE, self.plan.cores), (Kind.LATENCY, "", 0)]
        kinds += [(Kind.HEAP_SIZE, "", blocks) for blocks in self.plan.heap_sizes]
        kinds += [(Kind.MEMORY, name, numbers[-1]) for name, numbers in self.plan.programs]
        for kind, name, number in kinds:
            for peer in self.plan.peers:
                error = self.error(kind, name, number, peer)
                if error:
                    what = labelled(name, number) if kind is Kind.PROGRAM else f"{kind} {name or number or ''}".strip()
                    lines.append(f"{peer}: {what}: {error}")
        return lines

    # What came out.

    def costs(self, subject: Subject, peer: str) -> dict[str, dict[int, float]]:
        """Round to CPU seconds, wall seconds and peak bytes; times are for an equal number of operations."""
        runs = self.of(Kind.PROGRAM, *subject, peer)
        base = self.of(Kind.PROGRAM, *subject, GLIBC)
        whole = next((run.operations for run in base.values() if run.operations), 0)
        share = {number: whole / run.operations if run.operations else 1.0 for number, run in runs.items()}
        return {
            "cpu": {number: run.cpu * share[number] for number, run in runs.items()},
            "wall": {number: run.wall * share[number] for number, run in runs.items()},
            "peak": {number: float(run.peak) for number, run in runs.items()},
        }

    def program_rows(self) -> tuple[ProgramRow, ...]:
        """Every program that glibc ran at least once."""
        rows = []
        for name, numbers in self.plan.programs:
            for number in numbers:
                if self.of(Kind.PROGRAM, name, number, GLIBC):
                    program = self.programs.get(name)
                    results = tuple(self.result((name, number), peer) for peer in self.plan.peers)
                    fixed, pattern = (program.fixed, program.pattern) if program else (False, "")
                    rows.append(ProgramRow(name, number, fixed, pattern, number == numbers[-1], results))
        return tuple(rows)

    def result(self, subject: Subject, peer: str) -> Result:
        """One cell of the tables."""
        error = self.error(Kind.PROGRAM, *subject, peer) or self.error(Kind.PROGRAM, *subject, GLIBC)
        runs = self.of(Kind.PROGRAM, *subject, peer)
        mine, base = self.costs(subject, peer), self.costs(subject, GLIBC)
        found = {what: self.cost(mine[what], base[what]) for what in mine} if not error else {}
        rates = [run.operations / run.wall for run in runs.values() if run.operations and run.wall]
        return Result(
            peer,
            error,
            found.get("cpu"),
            found.get("wall"),
            found.get("peak"),
            spread(rates) if rates and not error else None,
        )

    @staticmethod
    def cost(mine: Mapping[int, float], base: Mapping[int, float]) -> Cost | None:
        """One quantity, as ratio and absolute; None when no round has both."""
        found = ratios(mine, base)
        return Cost(spread(found.values()), spread(mine[number] for number in found)) if found else None

    def means(self) -> tuple[Mean, ...]:
        """Geometric means over all programs, and over those that an allocator can move, when both kinds ran."""
        whole = [(name, numbers[-1]) for name, numbers in self.plan.programs]
        whole = [subject for subject in whole if self.of(Kind.PROGRAM, *subject, GLIBC)]
        moved = [one for one in whole if not (one[0] in self.programs and self.programs[one[0]].fixed)]
        groups = [("all", whole)]
        if 0 < len(moved) < len(whole):
            groups.append(("without fixed", moved))
        return tuple(self.mean(title, subjects) for title, subjects in groups if len(whole) > 1)

    def mean(self, title: str, subjects: Sequence[Subject]) -> Mean:
        """One row of means; an allocator's is over the programs that it did not fail."""
        results = []
        for peer in self.plan.peers:
            kept = [subject for subject in subjects if not self.result(subject, peer).error]
            kept = [subject for subject in kept if self.of(Kind.PROGRAM, *subject, peer)]
            found = {
                what: mean_of([ratios(self.costs(one, peer)[what], self.costs(one, GLIBC)[what]) for one in kept])
                for what in ("cpu", "wall", "peak")
            }
            results.append(MeanResult(peer, len(kept), found["cpu"], found["wall"], found["peak"]))
        return Mean(title, len(subjects), tuple(results))

    def headline(self) -> tuple[HeadlineResult, ...]:
        """Malloc calls a second; binary_tree frees all that it allocates, so half of its operations are mallocs."""
        rows = []
        for peer in self.plan.peers:
            runs = list(self.of(Kind.HEADLINE, HEADLINE, self.plan.cores, peer).values())
            runs = [run for run in runs if not run.error and run.operations]
            if runs and not self.error(Kind.PROGRAM, HEADLINE, 0, peer):
                alone = self.of(Kind.PROGRAM, HEADLINE, 0, peer).values()
                calls = self.plan.cores * runs[0].operations / 2
                rows.append(
                    HeadlineResult(
                        peer,
                        self.plan.cores,
                        spread(calls / run.wall for run in runs),
                        spread(calls / run.cpu for run in runs),
                        spread(run.operations / 2 / run.wall for run in alone) if alone else None,
                        spread(run.cpu / calls * 1e9 for run in runs),
                    )
                )
        return tuple(rows)

    def latency(self) -> tuple[LatencyResult, ...]:
        """Percentiles over the calls of all rounds together."""
        rows = []
        for peer in self.plan.peers:
            details = [run.detail for run in self.of(Kind.LATENCY, "", 0, peer).values() if not run.error]
            for call in KINDS if details else ():
                counts: Counter[int] = Counter()
                for detail in details:
                    counts.update({int(bucket): number for bucket, number in detail[call].items()})
                scale = mean(detail["ns_a_tick"] for detail in details)
                clock, average, step = (
                    mean(detail[name] for detail in details) for name in ("timer", "timer_mean", "step")
                )
                values = {name: max(0.0, percentile(counts, part) - clock) * scale for name, part in PERCENTILES}
                calls = counts.total()
                rows.append(
                    LatencyResult(peer, call, calls, step * scale, (trimmed(counts) - average) * scale, **values)
                )
        return tuple(rows)

    def memory(self) -> tuple[MemoryCurve, ...]:
        """The curves that were recorded."""
        rows = []
        for name, numbers in self.plan.programs:
            for peer in self.plan.peers:
                run = self.runs.get(Job(Kind.MEMORY, name, numbers[-1], peer).key)
                if run is not None and not run.error:
                    rows.append(MemoryCurve(name, peer, tuple(run.detail["seconds"]), tuple(run.detail["resident"])))
        return tuple(rows)

    def heap_sizes(self) -> tuple[HeapSizeResult, ...]:
        """A row an allocator and number of blocks."""
        rows = []
        for blocks in self.plan.heap_sizes:
            for peer in self.plan.peers:
                details = [run.detail for run in self.of(Kind.HEAP_SIZE, "", blocks, peer).values() if not run.error]
                if details:
                    held = {name: [float(detail[name]) for detail in details] for name in NAMES}

                    def part(name: str, of: str, held: dict[str, list[float]] = held) -> list[float]:
                        return [one / whole for one, whole in zip(held[name], held[of], strict=True)]

                    rows.append(
                        HeapSizeResult(
                            peer,
                            blocks,
                            held["live"][0],
                            spread(held["build"]),
                            spread(held["replace"]),
                            spread(held["clear"]),
                            spread(part("resident", "live")),
                            spread(part("freed", "resident")),
                            spread(part("settled", "resident")),
                        )
                    )
        return tuple(rows)

    def samples(self) -> tuple[Sample, ...]:
        """Every run of a program that did not fail, in the order of the plan."""
        jobs: Iterable[Job] = (job for job in self.plan.jobs() if job.kind is Kind.PROGRAM)
        runs = ((job, self.runs[job.key]) for job in jobs if job.key in self.runs)
        return tuple(
            Sample(job.name, job.number, job.peer, job.round, run.wall, run.user, run.system, run.peak)
            for job, run in runs
            if not run.error
        )

    def rounds_done(self) -> int:
        """Rounds in which nothing is left to do."""
        return sum(
            all(job.key in self.runs for job in self.plan.round(number) if not self.passed_over(job))
            for number in range(self.plan.rounds)
        )

    def passed_over(self, job: Job) -> bool:
        """Whether a run makes no sense any more: its program fails on glibc, or it failed there in an earlier round."""
        if job.kind is Kind.TRIAL:
            return False
        number = 0 if job.kind is Kind.HEADLINE else job.number
        trial = self.runs.get(Job(Kind.TRIAL, job.name, number, GLIBC).key)
        if job.name and trial is not None and trial.error:
            return True
        earlier = self.of(job.kind, job.name, job.number, job.peer)
        return any(run.error for round_, run in earlier.items() if round_ < job.round)


def labelled(name: str, threads: int) -> str:
    """A program with its number of threads, for a message.

    >>> labelled("cfrac", 0), labelled("xmalloc", 1), labelled("xmalloc", 4)
    ('cfrac', 'xmalloc, 1 thread', 'xmalloc, 4 threads')
    """
    return f"{name}, {threads} thread{'' if threads == 1 else 's'}" if threads else name
