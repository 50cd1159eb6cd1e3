"""Explores a system: for deadlocks and faults, or for a run that violates a formula."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic

from spec.ltl.automaton import Automaton
from spec.ltl.classify import classify
from spec.ltl.emptiness import Counted, Lasso, connected, nested
from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, Operator, conjunction, negation, subformulas
from spec.ltl.meter import BoundReached, Meter
from spec.ltl.translate import buchi, translate
from spec.model.compaction import DIGEST_SIZE, digest, warning
from spec.model.counterexample import finite_path, lasso_path, shorten, simplify
from spec.model.execution import Execution
from spec.model.explore import VIOLATED, Found, Node, Prefixes, Space, States, breadth_first, depth_first
from spec.model.fairness import fair_processes, is_fair
from spec.model.options import Option, OptionError, refuse
from spec.model.product import FailedStep, Product, terminal, universal
from spec.model.reduction import Reduced
from spec.model.symmetry import Quotient
from spec.model.system import Path, Result, State, Step, System, Verdict
from spec.model.vocabulary import refuse_unknown

STATES = 1_000_000
"""How many states a search may store when nothing else is asked for."""

STUTTER_SENSITIVE = frozenset({Operator.NEXT, Operator.WEAK_NEXT, Operator.YESTERDAY, Operator.WEAK_YESTERDAY})
_ENGINES = {"auto": None, "breadth": Option.BREADTH, "nested": Option.NESTED, "scc": Option.SCC}


def check(
    system: System[State],
    formula: Formula | None = None,
    *,
    assumptions: Iterable[Formula] = (),
    deadlock: bool = True,
    engine: str = "auto",
    fairness: bool | Iterable[int] | None = None,
    reduction: bool = False,
    symmetry: bool = False,
    compaction: int | bool = 0,
    states: int | None = STATES,
    memory: int | None = None,
    seconds: float | None = None,
    progress: Callable[[Meter], object] | None = None,
) -> Result:
    """Whether every run of `system` satisfies `formula`; without one, whether a deadlock or a fault can be reached.

    Runs are infinite: a state without successors stays as it is. Runs that violate one of the `assumptions`, or that
    are not weakly fair, do not count. With a formula deadlocks are not looked for; a fault that the search comes to
    violates whatever was asked. deadlock: look for deadlocks.
    engine: "breadth" for a shortest counterexample to a safety property; "nested", depth-first; "scc", by strongly
    connected components; "auto", breadth where it will do, else nested. fairness: weak, of all processes, of those
    numbers, or None for those that the model says. reduction, symmetry: `spec.model.reduction`, `spec.model.symmetry`.
    compaction: bytes of a digest stored for a state, True for 8. states, memory (bytes of the process), seconds: bounds
    on one search; reached, the verdict is EXHAUSTED, as it is, "interrupted", on KeyboardInterrupt.
    progress: called about once a second with how far the search is.
    Raises: OptionError for options that may not be combined (`spec.model.options`); PropositionError for a proposition
    that the model of an `Execution` does not have; TooLargeError for a formula whose automaton is.
    Cost: states * edges of the automaton, times the fair processes.
    Source: Vardi and Wolper, An automata-theoretic approach to automatic program verification (1986).

    >>> from spec.ltl.parser import parse, parse_word
    >>> from spec.model.path import PathSystem
    >>> result = check(PathSystem(parse_word("p; cycle{p; q}")), parse("[]p"))
    >>> print(result.verdict, len(result.counterexample.states))
    VIOLATED 3
    """
    search = _Search(
        system,
        Meter(states=states, memory=memory, seconds=seconds, progress=progress),
        engine,
        int(DIGEST_SIZE if compaction is True else compaction),
    )
    if formula is None:
        for assumption in assumptions:
            raise OptionError(f"assuming {assumption} needs a formula to be assumed for")
        search.prepare({Option.FAIRNESS} if fairness else set(), reduction, symmetry, ())
        return search.run(lambda: search.explore(deadlock))
    violation = conjunction(*assumptions, negation(formula))
    if isinstance(system, Execution):
        refuse_unknown(system.program, violation.propositions)
    automaton = buchi(violation) if engine != "scc" else translate(violation)
    fair = fair_processes(system, fairness)
    asked = {Option.NEXT} if reduction and stutter_sensitive(violation) else set()
    if terminal(automaton):
        # A finite run that violates can go on fairly, so that fairness makes no difference.
        fair = ()
    else:
        asked |= {Option.LIVENESS, Option.FAIRNESS} if fair else {Option.LIVENESS}
    search.prepare(asked, reduction, symmetry, sorted(violation.propositions))

    def violates(path: Path) -> bool:
        return holds(violation, path.word(system)) and is_fair(system, path, fair)

    return search.run(lambda: search.product(automaton, fair, violates, str(formula)))


def check_automaton(
    system: System[State],
    automaton: Automaton,
    *,
    engine: str = "auto",
    fairness: bool | Iterable[int] | None = False,
    states: int | None = STATES,
) -> Result:
    """Whether `automaton` accepts no run of `system`; a run that it accepts is the counterexample.

    The arguments are those of `check`.
    """
    search = _Search(system, Meter(states=states), engine, 0)
    fair = () if terminal(automaton) else fair_processes(system, fairness)
    asked = set() if terminal(automaton) else {Option.LIVENESS}
    search.prepare(asked | ({Option.FAIRNESS} if fair else set()), False, False, automaton.propositions)

    def violates(path: Path) -> bool:
        return automaton.accepts(path.word(system)) and is_fair(system, path, fair)

    return search.run(lambda: search.product(automaton, fair, violates, "accepted by the automaton"))


def stutter_sensitive(formula: Formula) -> bool:
    """Whether repeating letters of a word may change what `formula` says of it, or it is too much work to know.

    >>> from spec.ltl.parser import parse
    >>> stutter_sensitive(parse("X p")), stutter_sensitive(parse("<>(p && X !p)")), stutter_sensitive(parse("p U q"))
    (True, False, False)
    """
    if not any(part.operator in STUTTER_SENSITIVE for part in subformulas(formula)):
        return False
    return classify(formula).stutter_invariant is not True


class _Search(Generic[State]):
    """One call of `check`: the options that were chosen, the system as they change it, and what was counted."""

    def __init__(self, system: System[State], meter: Meter, engine: str, size: int) -> None:
        if engine not in _ENGINES:
            raise OptionError(f"there is no engine {engine!r}; {', '.join(_ENGINES)} would be right")
        self.original = system
        self.system = system
        self.meter = meter
        self.engine = _ENGINES[engine]
        self.size = size
        self.key: Callable[[Hashable], Hashable] | None = digest(size) if size else None
        self.named = ""
        self.reduced: Reduced | None = None
        self.quotient: Quotient | None = None

    def prepare(self, asked: set[Option], reduction: bool, symmetry: bool, propositions: Iterable[str]) -> None:
        """Choose the engine, refuse what may not be combined, and change the system as the options say."""
        asked |= {Option.REDUCTION} if reduction else set()
        asked |= {Option.SYMMETRY} if symmetry else set()
        asked |= {Option.COMPACTION} if self.size else set()
        if self.engine is None:
            deep = {Option.LIVENESS, Option.REDUCTION} & asked
            self.engine = Option.NESTED if deep else Option.BREADTH
        refuse(asked | {self.engine})
        if reduction:
            if not isinstance(self.system, Execution):
                raise OptionError("reduction needs the commands of a model; this system has none")
            self.reduced = Reduced(self.system, propositions)
            self.system = self.reduced
        if symmetry:
            if not isinstance(self.system, Execution):
                raise OptionError("symmetry needs the processes of a model; this system has none")
            self.quotient = Quotient(self.system, propositions)
            self.system = self.quotient
        names = [option.value for option in (self.engine, *sorted(asked)) if option in _SHOWN]
        self.named = ", ".join(names)

    def run(self, look: Callable[[], tuple[str, Path] | None]) -> Result:
        """The result of a search, whichever way it ends."""
        verdict, reason, path = Verdict.HOLDS, "", None
        try:
            found = look()
            if found is not None:
                verdict, (reason, path) = Verdict.VIOLATED, found
                if self.quotient is not None:
                    path = self.quotient.unfold(path)
                    # The process that fails may have another name than that of the representative.
                    reason = (path.steps[-1].fault if path.steps else "") or reason
            elif self.size:
                reason = warning(self.meter.states, self.size)
        except (BoundReached, TooLargeError) as bound:  # the latter of a state's symmetric orders
            verdict, reason = Verdict.EXHAUSTED, str(bound)
        except KeyboardInterrupt:
            verdict, reason = Verdict.EXHAUSTED, "interrupted"
        meter = self.meter
        return Result(
            verdict, reason, path, meter.states, meter.transitions, meter.depth, meter.seconds, engine=self.named
        )

    def explore(self, deadlock: bool) -> tuple[str, Path] | None:
        """A deadlock or a fault."""
        space = States(self.system, deadlock)
        if self.engine is Option.BREADTH:
            found = breadth_first(space, self.meter, self.key)
        elif self.reduced is not None:
            found = self.reduced.explore(self.meter, deadlock=deadlock)  # type: ignore[assignment]
        else:
            found = depth_first(space, self.meter, self.key)
        if found is None:
            return None
        if self.engine is not Option.BREADTH:
            found = self._nearest(space) or found
        return found.reason, finite_path(found)

    def product(
        self, automaton: Automaton, fair: tuple[int, ...], violates: Callable[[Path], bool], reason: str
    ) -> tuple[str, Path] | None:
        """A run that the automaton accepts, or a fault that was come to."""
        if self.reduced is not None:
            first = self.meter.fresh()
            try:
                self.reduced.explore(first, cycles=True)
            except (BoundReached, KeyboardInterrupt):
                self.meter = first
                raise
        product = Product(self.system, automaton, fair)
        decided = universal(automaton)
        if self.engine is Option.BREADTH:
            prefix = breadth_first(Prefixes(product, decided), self.meter, self.key)
            if prefix is None:
                return None
            fault = prefix.steps[-1].fault if prefix.steps else ""
            return fault or reason, finite_path(prefix, lambda node: node[0])
        try:
            lasso = self._lasso(product)
        except FailedStep as failed:
            return self._fault(product, failed)
        if lasso is None:
            return None
        product.skip_faults = True
        if any(node[1] in decided for node in lasso.nodes):
            # What has been read already decides.
            return reason, self._prefix(product, lasso, decided)
        try:
            return reason, simplify(lasso_path(shorten(product, lasso)), violates)
        except KeyboardInterrupt:
            # Something was found, and it is told at whatever length.
            return reason, lasso_path(lasso)

    def _nearest(self, space: Space[Node]) -> Found[Node] | None:
        """A shortest run to something wrong, unless that takes much more than finding any did."""
        try:
            return breadth_first(space, Meter(states=1000 + 4 * self.meter.states))
        except (BoundReached, KeyboardInterrupt):
            return None

    def _prefix(self, product: Product[State], lasso: Lasso[tuple[State, int], Step], decided: frozenset[int]) -> Path:
        """A shortest run to a letter that decides; where that is too much work, the lasso's."""
        found = self._nearest(Prefixes(product, decided))
        if found is not None and found.reason == VIOLATED:
            return finite_path(found, lambda node: node[0])
        length = max(1, next(place for place, node in enumerate(lasso.nodes) if node[1] in decided))
        return Path(tuple(state for state, _ in lasso.nodes[:length]), lasso.labels[: length - 1])

    def _lasso(self, product: Product[State]) -> Lasso[tuple[State, int], Step] | None:
        if self.engine is Option.SCC:
            return connected(product, self.meter)
        automaton = product.automaton
        if not product.fair and (automaton.sets == 0 or (automaton.sets == 1 and automaton.state_based)):
            return nested(product, self.meter, self.key)
        found = nested(Counted(product), self.meter, self.key)
        if found is None:
            return None
        return Lasso(tuple(node for node, _ in found.prefix), tuple(node for node, _ in found.cycle), found.labels)

    def _fault(self, product: Product[State], failed: FailedStep) -> tuple[str, Path]:
        """A shortest run to a step that fails; where that is too much work, the first depth-first, as in the search."""
        space = Prefixes(product, frozenset())
        found = self._nearest(space) or depth_first(space, Meter())
        if found is None:
            raise AssertionError(f"no run leads to {failed.step.fault}, which one met")
        return found.reason, finite_path(found, lambda node: node[0])


_SHOWN = frozenset(Option) - {Option.LIVENESS, Option.NEXT}
