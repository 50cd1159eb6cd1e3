"""Measure programs on several allocators, side by side: builds them, runs them, and says what each allocator costs."""

from __future__ import annotations

import hashlib
import os
import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from m4alloc.bench import heap_size
from m4alloc.bench.analyse import Analysis
from m4alloc.bench.catalogue import BenchProgram, chosen
from m4alloc.bench.catalogue import catalogue as listing
from m4alloc.bench.compiled import sources
from m4alloc.bench.job import HEADLINE, Plan, thread_counts, usual_threads
from m4alloc.bench.measure import Bench, BenchError
from m4alloc.bench.peer import GLIBC, OURS, Peer, machine, peers, presets
from m4alloc.bench.report import Allocator, BenchReport
from m4alloc.bench.state import NAME, State
from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.program import Program, locate
from m4alloc.strategy import Strategy
from m4alloc.view.quantity import size

MOST_ROUNDS, MOST_THREADS = 1000, 128


def bench(
    command: Sequence[str] = (),
    *,
    programs: Sequence[str] = (),
    allocators: Sequence[str] = (),
    among: Sequence[str] = (),
    strategies: Sequence[str | os.PathLike[str]] = (),
    rounds: int = 3,
    quick: bool = False,
    seed: int = 0,
    threads: Sequence[int] = (),
    latency: bool | None = None,
    resident: bool = False,
    heap_sizes: Sequence[int] = (),
    catalogue: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    timeout: float = 600.0,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> BenchReport:
    """Run programs on several allocators in turn, and say what each costs in time and memory beside glibc.

    command: your own program and its arguments; empty: those of the catalogue, or the ones named in `programs`.
    allocators: further ones, NAME=PATH or a path of a shared library. strategies: TOML files, each one more variant of
    our core. among: the names of those to compare beside these and glibc; empty: all there are.
    rounds: each runs every program on every allocator once, in random order. quick: the short scales, to try it out.
    threads: the numbers for programs with threads; empty: 1, 2, 4 ... up to the number of cores.
    latency: time single calls (None: unless a program is named). resident: record resident memory in the course of each
    program. heap_sizes: numbers of live blocks for the cost of a call against the size of the heap.
    catalogue: another folder with a catalogue.toml. output: the folder for the report, the pictures and the state.
    resume: go on with the benchmark that the folder holds. timeout: seconds a run.
    tell: told a line before it begins: how many runs, how long.
    Raises BenchError, CatalogueError, AllocatorError, StateError, StrategyError, ProgramError, BuildError, OSError.

    >>> report = bench(programs=["binary_tree"], among=["glibc"], rounds=1, quick=True, latency=False)
    >>> report.exit_status, [row.name for row in report.programs], report.programs[0].results[0].cpu.ratio.median
    (0, ['binary_tree'], 1.0)
    """
    check_numbers(rounds, threads, heap_sizes, timeout)
    if command and (programs or catalogue is not None):
        raise BenchError("--program and --catalogue choose what runs; your own program is the only one that runs")
    if resume and output is None:
        raise BenchError("--resume goes on with what a folder holds: name it with --output DIR")
    folder = None if output is None else Path(output)
    found, missing = compared(allocators, among, strategies)
    listed = [] if command else chosen(listing(catalogue), programs)
    program = locate(command) if command else None
    cores = len(os.sched_getaffinity(0))
    counts = tuple(threads) or tuple(usual_threads(cores))
    fitting = heap_size.that_fit(tuple(heap_sizes), heap_size.available())
    missing += [
        f"a heap of {blocks:,} blocks is left out: it needs {size(heap_size.bytes_needed(blocks))} of memory, "
        f"and {size(heap_size.available())} are available"
        for blocks in heap_sizes
        if blocks not in fitting
    ]
    plan = Plan(
        tuple((one.name, thread_counts(one, counts)) for one in listed) or ((own_name(command), (0,)),),
        tuple(peer.name for peer in found),
        rounds,
        seed,
        cores,
        not (command or programs) if latency is None else latency,
        resident,
        fitting,
    )
    described = describe(found)
    state = State(
        None if folder is None else folder / NAME,
        identity(plan, described, listed, program, quick, timeout),
        resume=resume,
    )
    with tempfile.TemporaryDirectory(prefix="m4alloc-bench-") as scratch, interrupts_noted() as interrupts:
        bench = Bench(plan, found, listed, program, state, quick, timeout, Path(scratch), interrupts)
        interrupted = not bench.run(Silent() if progress is None else progress, tell)
    analysis = bench.analysis
    replaced = [
        f"{before.name}: its library was replaced while the benchmark ran; its figures are not those of one allocator"
        for before, after in zip(described, describe(found), strict=True)
        if before != after
    ]
    return BenchReport(
        machine(),
        described,
        tuple(command),
        rounds,
        analysis.rounds_done(),
        seed,
        quick,
        analysis.program_rows(),
        analysis.means(),
        analysis.headline(),
        analysis.latency(),
        analysis.memory(),
        analysis.heap_sizes(),
        analysis.samples(),
        tuple(analysis.errors()),
        tuple(missing),
        (*notes(analysis), *replaced),
        interrupted,
    )


def check_numbers(rounds: int, threads: Sequence[int], heap_sizes: Sequence[int], timeout: float) -> None:
    """Raise BenchError unless the numbers make sense."""
    if not 1 <= rounds <= MOST_ROUNDS:
        raise BenchError(f"{rounds} rounds: from 1 to {MOST_ROUNDS}")
    for count in threads:
        if not 1 <= count <= MOST_THREADS:
            raise BenchError(f"{count} threads: from 1 to {MOST_THREADS}")
    for blocks in heap_sizes:
        if not 1 <= blocks <= 10**9:
            raise BenchError(f"a heap of {blocks} blocks: from 1 to 1e9")
    for what, numbers in (("threads", threads), ("heap sizes", heap_sizes)):
        if list(numbers) != sorted(set(numbers)):
            raise BenchError(f"{what} {','.join(map(str, numbers))}: rising numbers are wanted, each once")
    if not timeout > 0:
        raise BenchError(f"a timeout of {timeout:g} s: it must be more than 0")


def compared(
    allocators: Sequence[str], among: Sequence[str], strategies: Sequence[str | os.PathLike[str]]
) -> tuple[list[Peer], list[str]]:
    """The allocators to compare, and the lines about what is missing. Raises BenchError, StrategyError, OSError."""
    variants, asked = presets(), {GLIBC, *among}
    for path in map(Path, strategies):
        if path.stem in variants:
            raise BenchError(f"--strategy {path}: there is a {path.stem} already; rename the file")
        variants[path.stem] = Strategy.load(path)
        asked.add(f"{OURS}:{path.stem}")
    try:
        found, missing = peers(allocators, strategies=variants, option="--allocator")
    except ValueError as error:
        raise BenchError(str(error)) from None
    names = [peer.name for peer in found]
    for name in among:
        if name not in names:
            absent = next((line for line in missing if line.startswith(f"{name} ")), "")
            raise BenchError(f"--among {name}: {absent or 'the allocators are ' + ', '.join(names)}")
    asked |= set(names[len(names) - len(allocators) :])
    return [peer for peer in found if not among or peer.name in asked], [] if among else missing


def own_name(command: Sequence[str]) -> str:
    """What a user's program is called in the tables.

    >>> own_name(["./build/server", "-x"])
    'server'
    """
    return Path(command[0]).name


def describe(found: Sequence[Peer]) -> tuple[Allocator, ...]:
    """The allocators as they stand in the report."""
    return tuple(Allocator(peer.name, peer.preload, peer.strategy, digest(peer.preload)) for peer in found)


def digest(path: str) -> str:
    """What tells one build of a library from another; empty when there is no such file."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16] if path else ""
    except OSError:
        return ""


def identity(
    plan: Plan,
    found: Sequence[Allocator],
    listed: Sequence[BenchProgram],
    program: Program | None,
    quick: bool,
    timeout: float,
) -> dict[str, Any]:
    """All that the result depends on."""
    return {
        "programs": [[name, list(numbers)] for name, numbers in plan.programs],
        "arguments": {one.name: list(one.short if quick else one.arguments) for one in listed},
        "sources": sources(listed[0].source.parent) if listed else "",
        "command": [] if program is None else [str(program.path), *program.argv[1:]],
        "allocators": {one.name: [one.library, one.strategy, one.digest] for one in found},
        "rounds": plan.rounds,
        "seed": plan.seed,
        "cores": plan.cores,
        "quick": quick,
        "latency": plan.latency,
        "memory": plan.memory,
        "heap_sizes": list(plan.heap_sizes),
        "timeout": timeout,
    }


def notes(analysis: Analysis) -> list[str]:
    """What a reader should know."""
    told = [
        f"{name} prints something else each time, on glibc too: its outputs are not compared"
        for name, number in analysis.subjects()
        if analysis.varies((name, number))
    ]
    if analysis.plan.cores == 1 and HEADLINE in analysis.programs:
        told.append("this machine has one core: programs with threads show the cost of turns, not of sharing")
    return told


def resume_line(words: Sequence[str]) -> str:
    """The command that goes on with an interrupted benchmark, from the words it was begun with.

    >>> resume_line(["--output", "out", "--rounds", "5"])
    'm4alloc bench --resume --output out --rounds 5'
    """
    return shlex.join(["m4alloc", "bench", *([] if "--resume" in words else ["--resume"]), *words])
