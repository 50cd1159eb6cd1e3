"""The report of `superopt` as text: before and after side by side, the proof and what it assumes, the steps, times."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence

from m4alloc.superopt.ir import Function
from m4alloc.superopt.printer import shown
from m4alloc.superopt.problem import Cost
from m4alloc.superopt.report import Piece, RewriteReport, Rewritten, VerifyReport
from m4alloc.superopt.verdict import Outcome, Verdict
from m4alloc.view.quantity import duration, number, plural

INDENT = "  "
LABEL = 11
WORD = {Outcome.REFINES: "PROVED", Outcome.COUNTEREXAMPLE: "REFUTED", Outcome.UNKNOWN: "NOT DECIDED"}
SLOWER = "it is slower on this machine: keep what there was, or search by --objective latency or instructions"
NOT_RECOMMENDED = "cheaper by count, measured SLOWER: not recommended"
NO_GAIN = "no cheaper than LLVM -O3"
OFTEN = 8
"""Pieces of which the report says why nothing was found; of more only how many there are."""

_SHOWN = re.compile(r"\s+[a-z]|\.?LBB\S+:")
"""An instruction, or the label of a block."""


def lines(report: RewriteReport, width: int = 0, *, assembly: bool = False) -> Iterator[str]:
    """The report, line by line.  width: of the page, that of the terminal when 0.  assembly: both listings too."""
    width = width or shutil.get_terminal_size((120, 40)).columns
    several = report.wanted > 1
    if several:
        yield from _overview(report)
    for one in report.functions:
        if not several or one.is_improved:
            yield from [""] if several else []
            yield from function(one, report, width, assembly=assembly)
    for name, why in report.skipped.items():
        yield line("skipped", f"@{name}: {why}")
    yield from (line("note", note) for note in report.notes)
    for path in report.files:
        yield line("written", path)
    if report.interrupted:
        done = f" of {plural(len(report.functions), 'function')} of {number(report.wanted)}" if several else ""
        again = f"; it goes on with: {report.resume}" if report.resume else ""
        yield f"interrupted: what is above is the best so far{done}{again}"


def verified(report: VerifyReport, width: int = 0) -> Iterator[str]:
    """The answer of `--verify`, line by line."""
    width = width or shutil.get_terminal_size((120, 40)).columns
    yield from beside(body(report.source), body(report.target), (report.first, report.second), width)
    yield from proof(report.verdict)
    yield from (line("note", note) for note in report.notes)


def line(label: str, text: str) -> str:
    """One finding, after what it is.

    >>> line("cost", "4 -> 1")
    'cost       4 -> 1'
    """
    return f"{label:<{LABEL}}{text}"


def beside(first: Sequence[str], second: Sequence[str], heads: tuple[str, str], width: int) -> Iterator[str]:
    """Two listings next to each other; one below the other where the page is too narrow.

    >>> list(beside(["a", "b"], ["c"], ("before", "after"), 40))
    ['before | after', 'a      | c', 'b      |']
    """
    left = max(map(len, [*first, heads[0]]))
    right = max(map(len, [*second, heads[1]]))
    if left + right + 3 > width:
        yield from (f"{heads[0]}:", *first, f"{heads[1]}:", *second)
        return
    yield f"{heads[0]:<{left}} | {heads[1]}"
    for row in range(max(len(first), len(second))):
        ours = first[row] if row < len(first) else ""
        theirs = second[row] if row < len(second) else ""
        yield f"{ours:<{left}} | {theirs}".rstrip()


def body(function: Function) -> list[str]:
    """The lines of a definition, for people."""
    return [row for row in shown(function).splitlines() if row.strip()]


def instructions(listing: str) -> list[str]:
    """The instructions of a listing and the labels of its blocks, without directives and comments.

    >>> instructions("f:\\n\\t.cfi_startproc\\n# %bb.0:\\n\\taddl\\t%esi, %edi  # sum\\n.LBB0_1:\\n")
    ['  addl %esi, %edi', '.LBB0_1:']
    """
    found = []
    for row in filter(_SHOWN.match, listing.splitlines()):
        told = re.split(r"\s(?:#|//)", row)[0].rstrip()
        found.append(f"  {told.strip().replace(chr(9), ' ')}" if told[0].isspace() else told)
    return found


def proof(verdict: Verdict) -> Iterator[str]:
    """A verdict: the word, the method, what was assumed, what was shown."""
    word = "the first is UNDEFINED for every input" if verdict.vacuous else WORD[verdict.outcome]
    yield line("proof", f"{word} by {verdict.method} in {duration(verdict.seconds)}")
    if len(verdict.stages) > 1:
        yield line("", ", ".join(f"{one.name}: {one.result} ({duration(one.seconds)})" for one in verdict.stages))
    if verdict.reason:
        yield line("because", verdict.reason)
    if verdict.counterexample is not None:
        yield line("input", str(verdict.counterexample))
    for fact in verdict.assumptions:
        yield line("assuming", str(fact))
    for claim in verdict.obligations:
        yield line("shown", claim)


def _overview(report: RewriteReport) -> Iterator[str]:
    yield f"{report.where}: {plural(report.wanted, 'function')}, {summary(report)}"
    width = max((len(one.before.name) for one in report.functions), default=0)
    for one in report.functions:
        result = one.note
        if one.is_improved:
            told = [change(one.cost_before, one.cost_after, report.target), *remarks(one)]
            result = "; ".join(told)
        yield f"{INDENT}@{one.before.name:<{width}}  {result or nothing(one)}"


def summary(report: RewriteReport) -> str:
    """How many functions were made cheaper, and how many of them with a reserve."""
    improved = report.improved
    counts = (
        (sum(not one.is_recommended for one in improved), "measured slower"),
        (sum(NO_GAIN in remarks(one) for one in improved), NO_GAIN),
    )
    reserves = ", ".join(f"{number(count)} {what}" for count, what in counts if count)
    return f"{number(len(improved))} made cheaper{f' ({reserves})' if reserves else ''}"


def remarks(one: Rewritten) -> tuple[str, ...]:
    """What speaks against a function that was made cheaper; () where nothing does."""
    if not one.is_improved:
        return ()
    found = [] if one.is_recommended else [NOT_RECOMMENDED]
    if one.cost_llvm is not None and not one.beats_llvm:
        found.append(NO_GAIN)
    return tuple(found)


def nothing(one: Rewritten) -> str:
    """Why nothing was found, in one line.

    A search that is settled has tried what enumeration knows: some 40 operations, constants near those of the source.
    """
    if any(piece.result.settled for piece in one.pieces) and len(one.pieces) == 1:
        smaller = one.cost_before.ir - 1
        if smaller < 0:
            return "nothing cheaper: it has no instruction"
        least = "without an instruction" if not smaller else f"of up to {plural(smaller, 'instruction')}"
        return f"nothing cheaper: every program {least} over enumeration's operations and constants was tried"
    tried = sum(piece.result.tally.proposed for piece in one.pieces)
    return f"nothing cheaper among {plural(tried, 'proposal')}"


def function(one: Rewritten, report: RewriteReport, width: int, *, assembly: bool = False) -> Iterator[str]:
    """One function of the report, line by line."""
    yield f"@{one.before.name} of {report.where}{''.join(f'; {remark}' for remark in remarks(one))}"
    if one.note:
        yield from body(one.before)
        yield line("not searched", f" {one.note}").replace("not searched ", "not searched: ", 1)
        return
    several = len(one.pieces) > 1
    if not one.is_improved:
        yield from body(one.before)
        yield line("cost", costs(one.cost_before, report.target))
        if assembly:
            yield from instructions(one.assembly[0])
        yield "nothing cheaper was found:"
        yield from _why(one.pieces, several)
        return
    yield from beside(body(one.before), body(one.after), ("before", "after"), width)
    if assembly and one.assembly[0]:
        both = (instructions(one.assembly[0]), instructions(one.assembly[1]))
        yield from beside(*both, (f"{report.target} before", "after"), width)
    yield line("cost", change(one.cost_before, one.cost_after, report.target))
    if one.cost_llvm is not None:
        yield line("", ladder(one, report.target))
    yield from estimates(one, report.objective)
    yield from whole_proof(one)
    for piece in one.pieces:
        yield from _piece(piece, one)
    yield from times(one)
    yield "nothing better was found:"
    yield from _why(one.pieces, several)


def whole_proof(one: Rewritten) -> Iterator[str]:
    """The proof of a function that was made cheaper."""
    if one.proof == "whole":
        yield from proof(one.verdict)
        return
    yield line("proof", f"each piece PROVED by itself: {one.verdict.reason.partition(';')[2].strip()}")
    for fact in one.assumptions:
        yield line("assuming", str(fact))


def _piece(piece: Piece, one: Rewritten) -> Iterator[str]:
    best = piece.result.best
    if not piece.result.is_improved:
        return
    edge = ""
    if best.verdict != one.verdict:
        state = "" if piece.put_back else f", not put back: {piece.refused}"
        before, after = piece.result.source.cost, best.cost
        yield line("piece", f"{piece.name}: {number(before.ir)} -> {number(after.ir)} IR instructions{state}")
        edge = INDENT
        yield from (edge + row for row in proof(best.verdict))
    yield edge + line(
        "found", f"by {best.method} after {duration(best.found_after)} of {duration(piece.result.seconds)}"
    )
    for count, step in enumerate(piece.steps, 1):
        verdict = "not checked alone" if step.proof is None else f"{WORD[step.proof.outcome]}{_reason(step.proof)}"
        yield edge + line("step", f"{count}. {step.rule} at {step.at}: {verdict}")


def _reason(verdict: Verdict) -> str:
    return f" ({verdict.reason})" if verdict.reason else ""


def _why(pieces: Sequence[Piece], named: bool) -> Iterator[str]:
    for piece in pieces[:OFTEN]:
        if named:
            yield f"{INDENT}{piece.name}: {'; '.join(piece.reasons)}"
        else:
            yield from (f"{INDENT}{row}" for row in piece.reasons)
    if len(pieces) > OFTEN:
        yield f"{INDENT}and {plural(len(pieces) - OFTEN, 'further piece')}: --json has all of it"


def times(one: Rewritten) -> Iterator[str]:
    """What was measured."""
    measurement = one.measured
    if measurement is None:
        return
    for name, timing in (("latency", measurement.latency), ("throughput", measurement.throughput)):
        if timing is not None:
            yield line(name, timing.sentence)
    if measurement.reason:
        yield line("time", f"not measured: {measurement.reason}")
    if one.is_slower:
        yield line("but", SLOWER)


def ladder(one: Rewritten, target: str) -> str:
    """What LLVM -O3 makes of the source, between the source and what was found."""
    middle = one.cost_llvm or one.cost_before
    parts = [(one.cost_before.ir, middle.ir, one.cost_after.ir, "IR")]
    if min(one.cost_before.instructions, middle.instructions, one.cost_after.instructions) >= 0:
        parts.append((one.cost_before.instructions, middle.instructions, one.cost_after.instructions, target))
    told = [f"source {number(a)} -> -O3 {number(b)} -> found {number(c)} {what}" for a, b, c, what in parts]
    return "; ".join([*told, *(NO_GAIN for remark in remarks(one) if remark == NO_GAIN)])


def estimates(one: Rewritten, objective: str) -> Iterator[str]:
    """What llvm-mca says; where it says nothing the reason, if it is latency that was asked for."""
    told = one.estimated
    if told is None:
        return
    if told.before is not None and told.after is not None:
        first, second = told.before, told.after
        yield line(
            "llvm-mca",
            f"{first.cycles:g} -> {second.cycles:g} cycles (throughput {first.throughput:g} -> {second.throughput:g}), "
            f"in a row of 100 on {first.core}",
        )
    elif objective == "latency":
        yield line("llvm-mca", f"no estimate: {told.reason}")


def costs(cost: Cost, target: str) -> str:
    """A cost in words.

    >>> costs(Cost(1.0, 1, 3), "x86-64")
    '1 IR instruction, 3 x86-64 instructions'
    """
    machine = f", {plural(cost.instructions, f'{target} instruction')}" if cost.instructions >= 0 else ""
    cycles = f", latency {cost.latency:g} cycles" if cost.latency else ""
    return f"{plural(cost.ir, 'IR instruction')}{machine}{cycles}"


def change(before: Cost, after: Cost, target: str) -> str:
    """Two costs in words.

    >>> change(Cost(4.0, 4, 5), Cost(1.0, 1, 3), "x86-64")
    '4 -> 1 IR instructions, 5 -> 3 x86-64 instructions'
    """
    told = f"{number(before.ir)} -> {number(after.ir)} IR instructions"
    if before.instructions >= 0 and after.instructions >= 0:
        told += f", {number(before.instructions)} -> {number(after.instructions)} {target} instructions"
    return told + (f", latency {before.latency:g} -> {after.latency:g} cycles" if before.latency else "")


def by_result(rows: Sequence[tuple[int, str]]) -> Iterator[tuple[str, list[int]]]:
    """Widths that share a result, together.

    >>> list(by_result([(16, "sampled"), (32, "left out"), (64, "sampled")]))
    [('sampled', [16, 64]), ('left out', [32])]
    """
    for how in dict.fromkeys(result for _, result in rows):
        yield how, [width for width, result in rows if result == how]


def rules(rows: Sequence[object]) -> Iterator[str]:
    """The library of rules: name, kind, the rewrite, what it needs, the widths it is proved at, and below why."""
    from m4alloc.superopt.prove_rules import Listed

    listed = [row for row in rows if isinstance(row, Listed)]
    names = max(len(row.name) for row in listed)
    kinds = max(len(row.kind) for row in listed)
    for row in listed:
        widths = f"  proved at {', '.join(map(str, row.widths))} bits" if row.widths else ""
        needs = f"  if {row.needs}" if row.needs else ""
        others = "".join(f"; {how} at {', '.join(map(str, at))} bits" for how, at in by_result(row.not_proved))
        widths += others if widths else others.replace("; ", "  ", 1)
        yield f"{row.name:<{names}}  {row.kind:<{kinds}}  {row.rewrite}{needs}{widths}"
        yield f"{'':<{names}}  {'':<{kinds}}  {row.reason}"
