"""The main job: run a program on an allocator, record it, judge every reply, compare, report."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from m4alloc.check.compare import Comparison, compare
from m4alloc.check.given_input import repeatable
from m4alloc.check.heap_life import heap_life
from m4alloc.check.images import Judged, Judges, ending
from m4alloc.check.keeping import VerifyError, keep, lasting_place, write_script
from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import Interrupts, environment_of, interrupts_noted, no_collector
from m4alloc.check.verify_page import page
from m4alloc.check.verify_properties import chosen, judge_properties
from m4alloc.check.verify_report import (
    FAIL_ON,
    Found,
    Image,
    PropertyFound,
    Replay,
    RuleCount,
    Survivors,
    Verdict,
    VerifyReport,
    interpreter_note,
)
from m4alloc.program import Program, locate
from m4alloc.trace.format import EndReason
from m4alloc.trace.formats.reading import open_tree
from m4alloc.trace.index import TraceTree, open_index
from m4alloc.trace.preload import library_of, preloaded
from m4alloc.trace.read import Trace
from m4alloc.trace.record import record
from m4alloc.trace.replay import ReplayError, replay
from m4alloc.trace.whole import write_whole
from m4alloc.view.quantity import plural
from m4alloc.view.raster import rasterise
from spec.contract import PROMISE, Rule
from spec.event import Function
from spec.standard import Contract, contract

STANDARD = "c17,glibc"
"""What programs linked with the GNU C library rely on."""

EXACT_BLOCKS = 1500
"""Heaps of at most so many blocks are drawn block by block."""

KEPT = 100
"""Findings of each family that a report tells."""


def verify(
    argv: Sequence[str],
    *,
    allocator: str | os.PathLike[str] = "m4alloc",
    standard: str = STANDARD,
    output: str | os.PathLike[str] | None = None,
    keep_trace: str | os.PathLike[str] | None = None,
    rounds: int = 5,
    fail_on: Sequence[str] = (),
    properties: Sequence[str] = (),
    seed: int = 0,
    limit: int | None = None,
    env: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
    stdout: int | None = None,
    progress: Progress | None = None,
    reference: bool = False,
) -> VerifyReport:
    """Run the program on `allocator`, judge every reply by `standard`, compare with the system's malloc.

    allocator: "m4alloc", "system", or the path of a library that defines malloc.
    output: where the HTML page goes; None writes none. keep_trace: where the recording goes; without it a recording
    is kept only when a rule broke, beside the page or in the working directory.
    rounds: unrecorded runs on each allocator; 0 runs the program once, recorded, and compares nothing.
    fail_on: kinds of verify_report.FAIL_ON. properties: names or formulas, as `spec.properties.find` takes them: each
    one has to hold, whoever is to blame. seed: of the order of the runs. limit: bytes of one trace at most.
    stdin: what each run reads, see `given_input.repeatable`. stdout: a descriptor for the recorded run's output.
    reference: judge by the specification alone, without the compiled acceptor, which comes to the same end sooner.
    The program runs with M4ALLOC_OPTIONS=misuse=count, so that its mistakes are counted and do not end it.
    Raises ProgramError, AllocatorError, VerifyError, ValueError (standard, property), LibraryError, OSError,
    TooLargeError (a formula without a monitor of reasonable size).
    Cost: the program's time 1 + 2 `rounds` times, and about a tenth of a microsecond a request.

    >>> report = verify(["sort", "/dev/null"], allocator="system", rounds=0)
    >>> report.verdict.value, report.status, report.refused
    ('HOLDS', 0, 0)
    """
    program = locate(argv)
    contract(standard)
    chosen(properties)
    _check_kinds(fail_on)
    if rounds < 0:
        raise VerifyError(f"rounds is {rounds}; 0 compares nothing, 5 is usual")
    lasting = lasting_place(output, keep_trace)
    told = Silent() if progress is None else progress
    environment = environment_of(env)
    with tempfile.TemporaryDirectory(prefix="m4alloc-") as folder, interrupts_noted() as interrupts, told:
        with repeatable(stdin) as given:
            told.phase("running the program")
            recording = record(
                argv,
                Path(folder) / lasting.name,
                allocator=allocator,
                limit=limit,
                env=environment,
                stdin=given.first,
                stdout=stdout,
            )
            given.settle()
            stopped_by_hand = bool(interrupts)
            interrupts.count = 0
            tree = open_index(recording.index)
            judged, images, orphans, seconds = _judge(tree, standard, told, interrupts, reference)
            found = _properties(judged, properties, told)
            comparison, replayed, notes = None, None, _notes(program, environment, tree, orphans, recording.left_behind)
            if rounds and not interrupts and not stopped_by_hand and sum(image.checked for image in images):
                comparison = _compare(program, allocator, environment, given.again, rounds, seed, told, interrupts)
                replayed, remark = _replay(tree.path, allocator, rounds, told, interrupts)
                notes += remark
            elif stopped_by_hand:
                notes.append("the program was interrupted: it was not run again for a comparison")
        report = _report(tuple(argv), standard, judged, images, seconds)
        report = _with(
            report,
            allocator=_name(allocator, images),
            status=recording.status,
            comparison=comparison,
            replay=replayed,
            notes=tuple(notes),
            fail_on=tuple(fail_on),
            properties=found,
            seed=seed,
            interrupted=bool(interrupts) or stopped_by_hand,
        )
        if keep_trace is not None or report.verdict is Verdict.VIOLATED:
            try:
                keep(tree.path, lasting)
                report = _with(report, trace=os.fspath(lasting), script=write_script(report, tree, judged, lasting))
            except OSError as error:
                report = _not_written(report, lasting, error)
    return _finish(report, output)


def verify_trace(
    path: str | os.PathLike[str],
    *,
    standard: str = STANDARD,
    output: str | os.PathLike[str] | None = None,
    fail_on: Sequence[str] = (),
    properties: Sequence[str] = (),
    progress: Progress | None = None,
    reference: bool = False,
) -> VerifyReport:
    """Judge a recording made earlier: no program runs and nothing is compared.

    path: the index of a recording, or one trace. The rest is as for `verify`.
    Raises TraceError, VerifyError, ValueError (standard, property), OSError, TooLargeError.
    """
    contract(standard)
    chosen(properties)
    _check_kinds(fail_on)
    tree = open_tree(path)
    told = Silent() if progress is None else progress
    with interrupts_noted() as interrupts, told:
        judged, images, orphans, seconds = _judge(tree, standard, told, interrupts, reference)
        found = _properties(judged, properties, told)
    report = _report(tree.program, standard, judged, images, seconds)
    report = _with(
        report,
        allocator=_name("", images),
        status=tree.status,
        notes=tuple(_orphan_notes(orphans)),
        fail_on=tuple(fail_on),
        properties=found,
        interrupted=bool(interrupts),
        trace=os.fspath(path),
    )
    return _finish(report, output)


# Judging.


def _judge(
    tree: TraceTree, standard: str, told: Progress, interrupts: Interrupts, reference: bool
) -> tuple[list[Judged], tuple[Image, ...], list[Trace], float]:
    """Judge all images and measure their heaps."""
    told.phase("checking every reply", sum(trace.used for trace in tree.traces))
    judges = Judges(tree.traces, standard, told.advance, lambda: bool(interrupts), reference)
    with no_collector():
        judged = judges.run()
    seconds = sum(one.seconds for one in judged)
    told.phase("measuring the heap")
    return judged, tuple(_image(one) for one in judged), judges.orphans, seconds


def _properties(judged: Sequence[Judged], names: Sequence[str], told: Progress) -> tuple[PropertyFound, ...]:
    told.phase("checking properties")
    with no_collector():
        return judge_properties(judged, names)


def _image(judged: Judged) -> Image:
    trace, lives = judged.trace, judged.lives
    records = trace.records[trace.records["function"] > 0]
    survivors = Survivors()
    if trace.end_reason is EndReason.EXIT:
        left = lives.survivors
        own = left.born >= 0
        survivors = Survivors(int(own.sum()), int(left.size[own].sum()))
    blocks = lives.blocks()
    few = len(blocks) <= EXACT_BLOCKS
    # Labels are events, but nobody requested anything, and no reply of theirs was judged.
    said = records["function"] == Function.LABEL
    labels = labels_judged = int(np.count_nonzero(said))
    if labels and judged.acceptor.events < len(records):
        first = trace.records["function"][trace.order()[: judged.acceptor.events]]
        labels_judged = int(np.count_nonzero(first == Function.LABEL))
    return Image(
        pid=trace.pid,
        image=trace.image,
        parent=judged.parent,
        command=trace.command,
        allocator=trace.allocator,
        thread_ids=frozenset(records["thread"].tolist()),
        requests=len(records) - labels,
        checked=judged.acceptor.events - labels_judged,
        ended=ending(trace),
        complete=trace.end_reason.is_complete,
        survivors=survivors,
        life=heap_life(lives),
        raster=None if few or not lives.requests else rasterise(blocks, 0, lives.requests, min_shift=12),
        blocks=blocks if few else None,
    )


def _report(
    command: tuple[str, ...], standard: str, judged: Sequence[Judged], images: tuple[Image, ...], seconds: float
) -> VerifyReport:
    rules = contract(standard)
    tally: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    violations: list[Found] = []
    misuses: list[Found] = []
    for index, one in enumerate(judged):
        tally.update(one.acceptor.tally)
        counts.update(one.acceptor.counts)
        for broken in one.acceptor.violations:
            event = broken.event.begin if broken.event else 0
            violations.append(Found("violation", broken.rule.name, broken.message, index, event, broken.after_misuse))
        for misuse in one.acceptor.misuses:
            event = misuse.event.begin if misuse.event else 0
            misuses.append(Found("misuse", misuse.kind, misuse.message, index, event))
    # The innocent first: what the allocator did on its own account is what the verdict rests on.
    violations.sort(key=lambda found: bool(found.after_misuse))
    return VerifyReport(
        command=command,
        allocator="",
        standard=rules.name,
        status=None,
        images=images,
        rules=tuple(
            RuleCount(name, rule.sentence, _sources(rule, rules), tally[name], counts[name])
            for name, rule in rules.rules.items()
        ),
        violations=tuple(violations[:KEPT]),
        refused=sum(number for name, number in counts.items() if name in rules.rules),
        misuses=tuple(misuses[:KEPT]),
        misuse_counts={name: number for name, number in sorted(counts.items()) if name not in rules.rules},
        seconds=seconds,
    )


def _sources(rule: Rule, chosen: Contract) -> str:
    """The clauses of the chosen standards that state the rule."""
    return "; ".join(clause for standard, clause in rule.sources if standard in (*chosen.standards, PROMISE))


def _notes(
    program: Program, environment: Mapping[str, str], tree: TraceTree, orphans: Sequence[Trace], left: int
) -> list[str]:
    notes = [interpreter_note(program.executable.name, environment), *_orphan_notes(orphans)]
    if left:
        who = plural(left, "process that the program left behind goes", "processes that the program left behind go")
        notes.append(f"{who} on: judged is what was recorded until now")
    elif not sum(trace.used for trace in tree.traces):
        notes.append(
            "no request was recorded: the program makes none, defines malloc itself, or starts others that are "
            "statically linked"
        )
    return [note for note in notes if note]


def _orphan_notes(orphans: Sequence[Trace]) -> list[str]:
    return [f"process {trace.pid} was not judged: its parent's trace is missing" for trace in orphans]


# Comparing.


def _compare(
    program: Program,
    allocator: str | os.PathLike[str],
    environment: Mapping[str, str],
    given: IO[bytes],
    rounds: int,
    seed: int,
    told: Progress,
    interrupts: Interrupts,
) -> Comparison | None:
    """Run the program on both; None when interrupted."""
    told.phase("comparing with the system's malloc", 2 * rounds)
    library = library_of(allocator)
    others = environment.get("LD_PRELOAD", "")
    with preloaded([library] if library else [], others) as preload:
        interrupts.at_once = True
        sides = ((Path(os.fspath(allocator)).name, preload, environment), ("system malloc", others, environment))
        try:
            return compare(
                program, *sides, repeat=rounds, seed=seed, stdin=given, progress=lambda done, _: told.advance(done)
            )
        except KeyboardInterrupt:
            return None
        finally:
            interrupts.at_once = False


def _replay(
    recording: Path, allocator: str | os.PathLike[str], rounds: int, told: Progress, interrupts: Interrupts
) -> tuple[Replay | None, list[str]]:
    """Replay the requests alone on both; None, and why, when that could not be done."""
    if interrupts:
        return None, []
    told.phase("replaying the requests")
    try:
        interrupts.at_once = True
        ours, other = replay(recording, allocator=[allocator, "system"], rounds=rounds).results
    except KeyboardInterrupt:
        return None, []
    except ReplayError as error:
        return None, [f"no replay time: {error}"]
    finally:
        interrupts.at_once = False
    return (Replay(ours.seconds, other.seconds), []) if other.seconds else (None, [])


# Small things.


def _finish(report: VerifyReport, output: str | os.PathLike[str] | None) -> VerifyReport:
    if output is None:
        return report
    whole = _with(report, page=os.fspath(output))
    try:
        write_whole(Path(output), page(whole))
    except OSError as error:
        return _not_written(report, output, error)
    return whole


def _not_written(report: VerifyReport, path: str | os.PathLike[str], error: OSError) -> VerifyReport:
    """The report with what could not be written: the verdict stands all the same."""
    return _with(report, notes=(*report.notes, f"not written: {os.fspath(path)}: {error.strerror}"))


def _with(report: VerifyReport, **changes: object) -> VerifyReport:
    return replace(report, **changes)  # type: ignore[arg-type]


def _name(allocator: str | os.PathLike[str], images: Sequence[Image]) -> str:
    """What a report calls the allocator: the name it was asked for by, or the file that served malloc."""
    if os.fspath(allocator):
        return Path(os.fspath(allocator)).name
    return Path(images[0].allocator).name if images else "an allocator"


def _check_kinds(fail_on: Sequence[str]) -> None:
    unknown = [kind for kind in fail_on if kind not in FAIL_ON]
    if unknown:
        raise VerifyError(f"--fail-on {unknown[0]}: the kinds are {', '.join(FAIL_ON)}")
