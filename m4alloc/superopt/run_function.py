"""One function of a file, made cheaper: by idiom, as a whole where it can be, then piece by piece."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from m4alloc.check.progress import Progress, Silent
from m4alloc.superopt import cost_mca, idioms, idioms_prove, toolchain
from m4alloc.superopt.cost import cost
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.explain import explained
from m4alloc.superopt.fact_terms import names as fact_names
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_constants import Table
from m4alloc.superopt.ir import Function, Local, canonical
from m4alloc.superopt.judge_proof import with_needed_facts
from m4alloc.superopt.measure import Measurement, measured
from m4alloc.superopt.needed import needed
from m4alloc.superopt.parse_tokens import IrError
from m4alloc.superopt.pipeline import METHODS, MethodRun, Result, search_of, superoptimise
from m4alloc.superopt.printer import print_function
from m4alloc.superopt.problem import Budget, Candidate, Cost, Problem, Search, Step, Tally
from m4alloc.superopt.report import Estimated, Piece, Rewritten, slower
from m4alloc.superopt.run_progress import Seconds
from m4alloc.superopt.simplify import cleaned, is_movable
from m4alloc.superopt.simplify_cfg import without
from m4alloc.superopt.slices import Slice, is_loop_free, replaced, slices
from m4alloc.superopt.verdict import Outcome, Verdict
from m4alloc.view.quantity import plural

WHOLE = 24
"""Instructions up to which a function is searched as a whole for the whole budget; a larger one gives half to its
pieces."""
END_TO_END = 5.0
"""Seconds for the proof of a function that was rewritten piece by piece against the original, as a whole."""
OTHERS = 3
"""Proved candidates that are measured where the best by the model is slower than the source."""
WHOLE_FUNCTION = "whole function"
IDIOM = 0.2
"""Of the budget, for the proofs of idioms."""
SPARE = 0.1
"""Of the budget, for proofs with fewer facts of what was found."""
BY_PIECES = Verdict(
    Outcome.UNKNOWN,
    "piece by piece",
    "each piece is proved by itself; the function as a whole was not, for it has loops or calls, or is too large",
)
TIDIED = replace(
    BY_PIECES,
    reason=f"{BY_PIECES.reason}; unused and repeated code and decided branches were removed, which no proof looked at",
)
UNTOUCHED = Verdict(Outcome.REFINES, "the source itself")


@dataclass(frozen=True)
class Settings:
    """How each function is searched; see `run.superopt` for the meaning of the fields."""

    target: str = "x86-64"
    objective: str = "ir"
    methods: tuple[str, ...] = METHODS
    budget: float = 60.0
    seed: int = 0
    jobs: int = 2
    shared: bool = False
    thorough: bool = False
    proof_seconds: float = 5.0
    measure: bool = True
    weights: str = ""
    tables: Mapping[str, Table] = field(default_factory=dict)
    """The constant tables of the module."""

    @property
    def identity(self) -> str:
        """All on which a result depends, as text."""
        left_out = {"jobs", "measure", "methods", "budget", "seed", "thorough", "target", "objective"}
        return repr(sorted((name, value) for name, value in asdict(self).items() if name not in left_out))

    def searches(self) -> list[str | Search]:
        """The methods as the pipeline wants them.  Raises MethodError, AgentError, OSError, ModuleNotFoundError."""
        found: list[str | Search] = []
        for method in self.methods:
            search = search_of(method)
            if method == "egglog":
                from m4alloc.superopt.saturate import engine

                engine()  # before any time is spent
            if method == "policy" and self.weights:
                from m4alloc.superopt.agent import Agent

                search = replace(search, agent=Agent.load(Path(self.weights)))  # type: ignore[type-var]
            found.append(search if method == "policy" and self.weights else method)
        return found


class Rewrite:
    """The search of one function.  KeyboardInterrupt ends it; what was proved until then is kept.

    interrupted: it was ended so.
    """

    def __init__(
        self,
        function: Function,
        facts: tuple[Fact, ...],
        settings: Settings,
        progress: Progress | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.before, self.facts, self.settings = function, facts, settings
        self.progress, self.tell = progress or Silent(), tell
        self.budget = Budget(settings.budget)
        self.pieces: list[Piece] = []
        self.after = function
        self.proofs: list[Verdict] = []
        """Of whole functions, one after another: each refines the one before."""
        self.sure = function
        """The last function that whole proofs lead to."""
        self.tidied = False
        """Around pieces more was removed than what they left unused."""
        self.interrupted = False

    def rewritten(self) -> Rewritten:
        """The function before and after."""
        verdict, timing = UNTOUCHED, None
        try:
            self._search()
            verdict = self._verdict()
            timing = self._measured()
            verdict = self._chained() if self.after == self.sure else verdict
        except KeyboardInterrupt:
            self.interrupted = True
            verdict = self._chained()
        note = "" if self.pieces or self.interrupted else self._why_not()
        return Rewritten(
            self.before, self.after, self._cost(self.before), self._cost(self.after), tuple(self.pieces), verdict,
            assembly(self.before, self.after, self.settings.target), timing, note, self._cost_llvm(),
            estimated(self.before, self.after, self.settings.target) if self.after != self.before else None,
        )  # fmt: skip

    def _search(self) -> None:
        # The checker decides nothing about volatile accesses, but pieces without them are as good as any.
        opaque = self.before.is_opaque or any("volatile" in one.flags for one in self.before)
        if not opaque:
            self._idioms()
        whole = is_loop_free(self.sure) and not opaque
        if whole and not self.interrupted:
            share = 1.0 if self.sure.size <= WHOLE else 0.5
            piece = self._searched(WHOLE_FUNCTION, self.sure, self.facts, share)
            best = piece.result.best
            self._put(piece, best.function if piece.result.is_improved else None, best.verdict)
        if (not whole or self.sure.size > WHOLE) and not self.interrupted:
            self._piecewise()

    def _put(self, piece: Piece, after: Function | None, verdict: Verdict) -> None:
        """Keep what became of a whole function."""
        self.pieces.append(replace(piece, put_back=after is not None))
        if after is not None:
            self.after = self.sure = after
            self.proofs.append(verdict)

    # Idioms.

    def _idioms(self) -> None:
        """The cheapest that idioms offer for the whole function."""
        if self.settings.shared and any(one.opcode in {"load", "store"} for one in self.before):
            return  # the proofs of idioms do not look at the order of accesses
        began = time.monotonic()
        self.progress.phase(f"@{self.before.name}, idioms")
        seconds = min(10.0, IDIOM * self.settings.budget)
        found = idioms.find(self.before, self.facts, seconds=seconds, known=self.settings.tables)
        offers = [(self._cost(offer.function), offer) for offer in found.offers if not offer.verdict.vacuous]
        source = Candidate(self.before, self._cost(self.before), UNTOUCHED, "source")
        for price, offer in sorted(offers, key=lambda one: one[0])[:1]:
            if price >= source.cost:
                continue
            verdict = needed(offer.verdict, partial(self._proved, self.before, offer.function), seconds=self._spare)
            step = Step(offer.idiom, "the whole function", offer.function, verdict)
            seconds = time.monotonic() - began
            best = Candidate(offer.function, price, verdict, "idioms", (step,), seconds)
            tally = Tally(proposed=len(found.offers) + len(found.refused), accepted=len(found.offers))
            run = MethodRun("idioms", seconds, tally, (best,))
            problem = Problem(self.before, self.facts, self.settings.target, self.settings.objective)
            result = Result(problem, source, best, (best,), (run,), tally, {}, seconds)
            self._put(Piece(f"idiom: {offer.idiom}", result, (step,)), offer.function, verdict)
            self.tell(f"@{self.before.name}, {offer.idiom}: {plural(price.ir, 'instruction')} by idioms")

    # Pieces.

    def _piecewise(self) -> None:
        """Each piece in turn; what was put back makes new pieces."""
        tried: set[Function] = set()
        while not self.budget.is_spent and not self.interrupted:
            waiting = [piece for piece in self._slices() if canonical(piece.function) not in tried]
            if not waiting:
                break
            piece = waiting[0]
            tried.add(canonical(piece.function))
            facts = (*piece.facts, *_carried(piece, self.facts))
            found = self._searched(piece.name, piece.function, facts, 1.0 / len(waiting))
            if found.result.is_improved:
                found = self._put_back(piece, found)
            self.pieces.append(found)

    def _slices(self) -> Iterator[Slice]:
        return (piece for piece in slices(self.after) if piece.kind != "function")

    def _put_back(self, piece: Slice, found: Piece) -> Piece:
        """Put the piece's replacement into the function, where that makes it cheaper.

        Where other threads may touch the memory only pure code is removed with it, so that every access stays.
        """
        shared = self.settings.shared
        tidy = swept if shared else cleaned
        try:
            exchanged = replaced(self.after, piece, found.result.best.function)
        except IrError as error:
            return replace(found, refused=str(error))
        result = tidy(exchanged)
        if self._cost(result) >= self._cost(tidy(self.after)):
            return replace(found, refused="other code needs what it replaces, so that nothing is saved")
        if shared and accesses(result) != accesses(self.after):
            return replace(found, refused="the accesses to memory would not be the same")
        self.tidied = self.tidied or result != swept(exchanged)
        self.after = result
        return replace(found, put_back=True)

    def _searched(self, name: str, function: Function, facts: tuple[Fact, ...], share: float) -> Piece:
        settings = self.settings
        problem = Problem(function, facts, settings.target, settings.objective)

        def note(candidate: Candidate) -> None:
            told = plural(candidate.cost.ir, "instruction")
            self.tell(f"@{self.before.name}, {name}: {told} by {candidate.method}")

        seconds = self.budget.left * share
        result: Result = superoptimise(
            problem, Budget(seconds), settings.searches(), seed=settings.seed, jobs=settings.jobs,
            thorough=settings.thorough, shared=settings.shared, proof_seconds=settings.proof_seconds,
            on_improvement=note, progress=Seconds(self.progress, f"@{self.before.name}, {name}", seconds),
        )  # fmt: skip
        if result.interrupted:
            self.interrupted = True
            return Piece(name, result, result.best.steps)
        return Piece(name, result, explained(function, result.best.steps, facts, shared=settings.shared))

    @property
    def _spare(self) -> float:
        """Seconds for finding which facts a proof needs."""
        return min(4.0, SPARE * self.settings.budget)

    def _proved(self, before: Function, after: Function, facts: tuple[Fact, ...], seconds: float) -> Verdict:
        """Of whole functions, with loops too."""
        if self.settings.shared or before.is_opaque:
            return refines(before, after, facts, seconds=seconds, shared=self.settings.shared)
        return idioms_prove.proved(before, after, facts, seconds=seconds, known=self.settings.tables)

    # The whole.

    def _verdict(self) -> Verdict:
        """Of the function before and after; what the pieces came to is given up where the whole is refuted."""
        if self.after == self.sure or self.interrupted:
            return self._chained()
        verdict = self._proved(self.before, self.after, self.facts, END_TO_END)
        if verdict.outcome is Outcome.COUNTEREXAMPLE:
            why = f"put together, the function was refuted: {verdict.counterexample}"
            self.after = self.sure
            whole = len(self.proofs)
            self.pieces = [
                piece if place < whole or not piece.put_back else replace(piece, put_back=False, refused=why)
                for place, piece in enumerate(self.pieces)
            ]
            return self._chained()
        if verdict.accepted:
            return needed(verdict, partial(self._proved, self.before, self.after), seconds=self._spare)
        return self._by_pieces()

    def _by_pieces(self) -> Verdict:
        return TIDIED if self.tidied else BY_PIECES

    def _chained(self) -> Verdict:
        """What the proofs of whole functions, each refining the one before, amount to."""
        if self.after == self.before:
            return UNTOUCHED
        if self.after != self.sure:
            return self._by_pieces()
        if len(self.proofs) == 1:
            return self.proofs[0]
        return Verdict(
            Outcome.REFINES,
            ", then ".join(one.method for one in self.proofs),
            assumptions=tuple(dict.fromkeys(fact for one in self.proofs for fact in one.assumptions)),
            obligations=tuple(dict.fromkeys(claim for one in self.proofs for claim in one.obligations)),
            stages=tuple(stage for one in self.proofs for stage in one.stages),
            seconds=sum(one.seconds for one in self.proofs),
        )

    def _cost(self, function: Function) -> Cost:
        return cost(function, self.settings.target, self.settings.objective)

    def _cost_llvm(self) -> Cost | None:
        """Of what LLVM -O3 makes of the source; None where it cannot compile the function alone, or may not.

        It merges accesses that have to stay where other threads may touch the memory.
        """
        if self.settings.shared and accesses(self.before):
            return None
        try:
            return self._cost(toolchain.optimised(self.before, self.settings.target))
        except (ValueError, KeyError, RuntimeError):
            return None

    def _measured(self) -> Measurement | None:
        if not self.settings.measure or self.after == self.before or self.interrupted:
            return None
        self.progress.phase(f"measuring @{self.before.name}")
        found = timed(self.before, self.after, self.facts, self.settings.seed)
        return (self._faster() or found) if slower(found) else found

    def _faster(self) -> Measurement | None:
        """What was measured of the cheapest proved candidate that is not slower than the source, which is taken."""
        if self.after != self.sure or self.pieces[-1].name != WHOLE_FUNCTION or len(self.proofs) != 1:
            return None
        result = self.pieces[-1].result
        others = (one for one in result.front if one.cost < result.source.cost and one.function != self.after)
        for other in sorted(others, key=lambda one: one.cost)[:OTHERS]:
            found = timed(self.before, other.function, self.facts, self.settings.seed)
            if not found.reason and not slower(found):
                best = f"{plural(result.best.cost.ir, 'instruction')} by {result.best.method}"
                why = MethodRun("measured", 0.0, Tally(), (), f"{best}: proved, and slower as measured")
                verdict = with_needed_facts(
                    result.problem, other.function, other.verdict, self._spare / 4, shared=self.settings.shared
                )
                other = replace(other, verdict=verdict)
                chosen = replace(result, best=other, methods=(*result.methods, why))
                steps = explained(self.before, other.steps, self.facts, shared=self.settings.shared)
                self.pieces[-1] = replace(self.pieces[-1], result=chosen, steps=steps)
                self.after = self.sure = other.function
                self.proofs = [other.verdict]
                return found
        return None

    def _why_not(self) -> str:
        if not self.before.size:
            return "there is nothing in it to make cheaper"
        if self.budget.is_spent:
            return "the budget was spent before anything of it was searched"
        return (
            "no piece of it can be searched: loops without a known end, calls, floats and volatile or atomic accesses "
            "are left alone, and no two instructions beside them go together"
        )


def timed(before: Function, after: Function, facts: Sequence[Fact], seed: int) -> Measurement:
    """Both functions measured; the reason where they cannot be run alone."""
    if before.is_opaque or after.is_opaque:
        return Measurement(None, None, "it calls what is not here, or has what cannot be run alone")
    return measured(before, after, facts, seed=seed)


def estimated(before: Function, after: Function, target: str) -> Estimated:
    """What llvm-mca says of both, or why it says nothing of one."""
    try:
        first, why_not = cost_mca.estimate(before, target)
        second, why_neither = cost_mca.estimate(after, target)
    except (ValueError, RuntimeError) as error:
        return Estimated(reason=str(error))
    if first is None or second is None:
        return Estimated(reason=why_not or why_neither)
    return Estimated(first, second)


def swept(function: Function) -> Function:
    """The function without pure instructions whose results nothing uses; loads and divisions stay."""
    while True:
        used = {operand.name for one in function for operand in one.operands if isinstance(operand, Local)}
        dead = frozenset(one.name for one in function if is_movable(one) and one.name not in used)
        if not dead:
            return function
        function = without(function, dead)


def accesses(function: Function) -> list[tuple[str, str, str]]:
    """Everything that touches memory, in the order of the text: what it is, of which type, with which flags."""
    found = []
    for one in function:
        if one.opcode in {"load", "store", "opaque"}:
            type_ = one.operands[0].type if one.opcode == "store" else one.type
            found.append((one.opcode, str(type_), " ".join(sorted(one.flags))))
    return found


def assembly(before: Function, after: Function, target: str) -> tuple[str, str]:
    """Both listings; ("", "") where LLVM cannot compile the function alone."""
    try:
        first, second = (toolchain.assembly(print_function(one), target) for one in (before, after))
    except (ValueError, RuntimeError):
        return "", ""
    return first, second


def _carried(piece: Slice, facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """The facts about the function's arguments that the piece has under the same names."""
    names = {
        argument.name
        for argument, leaf in zip(piece.function.arguments, piece.leaves, strict=True)
        if argument.name == leaf.name
    }
    return tuple(fact for fact in facts if fact_names(fact) <= names)
