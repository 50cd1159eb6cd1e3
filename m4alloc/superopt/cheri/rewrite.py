"""The search: rules are tried wherever they fit, and a change is kept if it is cheaper and proved where it stands.

Nothing is taken from a rule's name: each step is checked alone on the whole program, with the conditions given and
with what earlier steps establish, and the result once more against the source. What was refused is told, with the
input that shows why.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from capability.cheri.isa import Isa
from m4alloc.superopt.cheri.edits import Edit, edits
from m4alloc.superopt.cheri.equivalence import refines
from m4alloc.superopt.cheri.notation import unparsed
from m4alloc.superopt.cheri.program import Program
from m4alloc.superopt.cheri.term import TermError
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.verdict import Outcome, Verdict


@dataclass(frozen=True)
class TakenStep:
    """One change that was kept: the rule, the step that it changed, the program that came of it, and the proof."""

    rule: str
    at: str
    program: Program
    proof: Verdict


@dataclass(frozen=True)
class Refusal:
    """One change that was not: `reason` is what it would do, or why that is not known."""

    rule: str
    at: str
    program: Program
    verdict: Verdict

    @property
    def reason(self) -> str:
        """ "would gain a tag: vulnerability", or why nothing is known."""
        if self.verdict.outcome is Outcome.COUNTEREXAMPLE:
            words = self.verdict.reason.split(" ", 1)
            return f"would {_BARE.get(words[0], words[0])} {words[1]}"
        return f"not decided: {self.verdict.reason}"

    def __str__(self) -> str:
        return f"refused: {self.rule} at {self.at} {self.reason}"


_BARE = {
    "gains": "gain",
    "substitutes": "substitute",
    "widens": "widen",
    "loses": "lose",
    "removes": "remove",
    "adds": "add",
    "traps": "trap",
    "narrows": "narrow",
    "yields": "yield",
    "leaves": "leave",
}


@dataclass(frozen=True)
class Rewritten:
    """Where the search began and ended, how it got there, what it refused, and the proof of the whole."""

    source: Program
    result: Program
    steps: tuple[TakenStep, ...]
    refused: tuple[Refusal, ...]
    proof: Verdict
    isa: str
    seconds: float

    def __str__(self) -> str:
        lines = [
            f"{self.source.name} on {self.isa}: {self.source.cost} operators -> {self.result.cost} "
            f"in {self.seconds:.1f} s, {self.proof.outcome.value} ({self.proof.method})"
        ]
        lines += [f"  assumed: {fact}" for fact in self.proof.assumptions]
        lines.append(f"  before: {unparsed(self.source.term)}")
        lines += [
            f"  {step.rule} at {step.at}, {step.proof.method}: {unparsed(step.program.term)}" for step in self.steps
        ]
        if not self.steps:
            lines.append("  nothing was found: no change that a rule proposes is both cheaper and proved")
        lines += [f"  {refusal}" for refusal in self.refused]
        return "\n".join(lines)


def rewritten(
    program: Program,
    facts: Sequence[Fact] = (),
    *,
    isa: Isa,
    strict: bool = True,
    seconds: float = 60.0,
    each: float = 10.0,
) -> Rewritten:
    """The cheapest program that the rules lead to, step by proved step.

    facts: conditions on the arguments, in the language of terms.  seconds: for all; each: for one proof.
    Interruptible: the best so far is returned.  Raises TermError for facts that cannot be read, and for a program of
    another width of address.

    >>> from capability.cheri.isa import ISAV9_128
    >>> from m4alloc.superopt.cheri.reader import read_text
    >>> text = '''define ptr addrspace(200) @f(ptr addrspace(200) noundef %c) {
    ...   %d = call ptr addrspace(200) @llvm.cheri.cap.bounds.set.i64(ptr addrspace(200) %c, i64 64)
    ...   %e = call ptr addrspace(200) @llvm.cheri.cap.bounds.set.i64(ptr addrspace(200) %d, i64 64)
    ...   ret ptr addrspace(200) %e }'''
    >>> found = rewritten(read_text(text), isa=ISAV9_128)
    >>> unparsed(found.result.term), [step.rule for step in found.steps]
    ('let(e, set(c, 64), e)', ['S1'])
    """
    if program.bits != isa.format.address_bits:
        raise TermError(f"{program.name} has addresses of {program.bits} bits, and {isa} of {isa.format.address_bits}")
    return _Search(facts, isa, strict, seconds, each).run(program)


class _Search:
    """One search: proofs are asked for once."""

    def __init__(self, facts: Sequence[Fact], isa: Isa, strict: bool, seconds: float, each: float) -> None:
        self.facts = facts
        self.isa = isa
        self.strict = strict
        self.each = each
        self.ends = time.monotonic() + seconds
        self.known: dict[tuple[Program, Program], Verdict] = {}
        self.refused: dict[tuple[str, str], Refusal] = {}
        self.tempting = False

    def run(self, source: Program) -> Rewritten:
        """To the fixed point, or to the end of the time."""
        started = time.monotonic()
        best, steps = source, []
        try:
            for self.tempting in (False, True):  # sound rules first: what is wrong in general leads into corners
                while taken := self.cheaper(best):
                    steps += taken
                    best = taken[-1].program
        except KeyboardInterrupt:
            pass
        proof = refines(
            source.term, best.term, self.facts, isa=self.isa, strict=self.strict, seconds=max(20.0, self.each)
        )
        if not proof.accepted:
            best, steps = source, []  # the steps are proved one by one, but the whole is what counts
        told = tuple(self.refused.values())
        return Rewritten(source, best, tuple(steps), told, proof, str(self.isa), time.monotonic() - started)

    def cheaper(self, program: Program) -> list[TakenStep]:
        """One step that is cheaper, or two of which the first costs nothing."""
        for edit in self.in_order(program, program.cost):
            proof = self.judged(program, edit)
            if proof.accepted:
                return [TakenStep(edit.rule, edit.at, edit.program, proof)]
        for first in edits(program, self.isa, tempting=self.tempting):
            if first.program.cost != program.cost:
                continue
            for second in self.in_order(first.program, program.cost):
                if self.spent:
                    return []
                proof = self.judged(program, first)
                if not proof.accepted:
                    break
                next_proof = self.judged(first.program, second)
                if next_proof.accepted:
                    return [
                        TakenStep(first.rule, first.at, first.program, proof),
                        TakenStep(second.rule, second.at, second.program, next_proof),
                    ]
        return []

    @property
    def spent(self) -> bool:
        """The time is over."""
        return time.monotonic() > self.ends

    def in_order(self, program: Program, below: int) -> Iterator[Edit]:
        """The edits that cost less, the cheapest result first."""
        found = sorted(
            (one for one in edits(program, self.isa, tempting=self.tempting) if one.program.cost < below), key=_price
        )
        for edit in found:
            if self.spent:
                return
            yield edit

    def judged(self, program: Program, edit: Edit) -> Verdict:
        """The verdict on one edit; a refusal is remembered by its rule and place."""
        key = program, edit.program
        if key not in self.known:
            before, after = program.term, edit.program.term
            self.known[key] = refines(
                before, after, self.facts, isa=self.isa, strict=self.strict, seconds=self.each, count=600
            )
        verdict = self.known[key]
        if not verdict.accepted:
            self.refused.setdefault((edit.warning, edit.at), Refusal(edit.warning, edit.at, edit.program, verdict))
        return verdict


def _price(edit: Edit) -> tuple[int, bool]:
    return edit.program.cost, edit.rule.startswith("U")
