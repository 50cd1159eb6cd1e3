"""Explores a program as `spec.model.search` does, some twenty times as fast: with machine code made for a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from spec.ltl.automaton import Automaton
from spec.ltl.emptiness import Lasso
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, conjunction, negation
from spec.ltl.meter import BoundReached, Meter
from spec.model.counterexample import finite_path, lasso_path, shorten, simplify
from spec.model.execution import Execution
from spec.model.explore import DEADLOCK, Found
from spec.model.fairness import fair_processes, is_fair
from spec.model.options import Option, OptionError, refuse
from spec.model.product import STAY, Product, terminal, universal
from spec.model.program import Program
from spec.model.search import stutter_sensitive
from spec.model.system import Path, Result, Step, Verdict

if TYPE_CHECKING:
    from m4alloc.model.exploration import Exploration

STATES = 100_000_000
"""How many states a search may store when nothing else is asked for."""
MEMORY = 4 << 30
"""How many bytes the process may have resident when nothing else is asked for."""
MOST_FAIR = 60
_ENGINES = {"auto": None, "breadth": Option.BREADTH, "nested": Option.NESTED}

Values = tuple[int, ...]


def check(
    program: Program,
    formula: Formula | None = None,
    *,
    assumptions: Iterable[Formula] = (),
    deadlock: bool = True,
    engine: str = "auto",
    fairness: bool | Iterable[int] | None = None,
    reduction: bool = False,
    states: int | None = STATES,
    memory: int | None = MEMORY,
    seconds: float | None = None,
    progress: Callable[[Meter], object] | None = None,
) -> Result:
    """Whether every run of `program` satisfies `formula`; without one, whether a deadlock or a fault can be reached.

    All is as in `spec.model.search.check` of `Execution(program)`, to which it is equal in the verdict and in the
    number of states of a search that comes to its end. engine: "breadth", "nested", or "auto". reduction: leave out
    steps that make no difference (`m4alloc.model.static_reduction`; other states are left than there). states, memory,
    seconds: bounds, of which memory is also looked at before an array grows.
    Raises: ModuleNotFoundError without numba; OptionError; ValueError for a proposition that the program does not have;
    TooLargeError for a formula whose automaton is, and for a program that computes with more than 62 bits.
    Cost: 0.05 to 0.2 us a transition, and about 1 ms a command before; in a process 0.5 s once, to load what numba has
    compiled, and on a machine some seconds once, to compile it.

    >>> from spec.model.program import Assign, Binary, Cell, Command, Constant, Process, Read
    >>> from spec.ltl.parser import parse
    >>> more = Assign(Read(0), Binary("%", Binary("+", Read(0), Constant(1)), Constant(1000)))
    >>> cells = Cell("n", 0, 999, 0), Cell("p@", 0, 0, 0, owner=0)
    >>> zero = "zero", Binary("==", Read(0), Constant(0))
    >>> process, command = Process("p", 1, ("main",), frozenset()), Command(0, 0, 0, (more,))
    >>> program = Program("count", cells, (process,), (command,), predicates=(zero,))
    >>> result = check(program, parse("[]<>zero"))
    >>> print(result.verdict, result.states)
    HOLDS 1999
    """
    search = _Search(program, Meter(states=states, memory=memory, seconds=seconds, progress=progress), states, memory)
    if formula is None:
        for assumption in assumptions:
            raise OptionError(f"assuming {assumption} needs a formula to be assumed for")
        search.choose(engine, {Option.REDUCTION} if reduction else set())
        return search.run(lambda: search.explore(deadlock))
    violation = conjunction(*assumptions, negation(formula))
    from spec.ltl.translate import buchi

    automaton = buchi(violation)
    fair = fair_processes(search.system, fairness)

    def violates(path: Path) -> bool:
        return holds(violation, path.word(search.system)) and is_fair(search.system, path, fair)

    asked = {Option.REDUCTION} if reduction else set()
    if reduction and stutter_sensitive(violation):
        asked.add(Option.NEXT)
    return search.product(engine, automaton, fair, violates, str(formula), asked)


def check_automaton(
    program: Program,
    automaton: Automaton,
    *,
    engine: str = "auto",
    fairness: bool | Iterable[int] | None = False,
    states: int | None = STATES,
) -> Result:
    """Whether `automaton` accepts no run of `program`; a run that it accepts is the counterexample.

    automaton: state-based, of one acceptance set or none. The other arguments are those of `check`.
    """
    if automaton.sets > 1 or not automaton.state_based:
        raise ValueError(
            "the compiled search needs an automaton with accepting states, such as spec.ltl.translate.buchi"
        )
    search = _Search(program, Meter(states=states), states, MEMORY)
    fair = fair_processes(search.system, fairness)

    def violates(path: Path) -> bool:
        return automaton.accepts(path.word(search.system)) and is_fair(search.system, path, fair)

    return search.product(engine, automaton, fair, violates, "accepted by the automaton", set())


class _Search:
    """One call of `check`."""

    def __init__(self, program: Program, meter: Meter, states: int | None, memory: int | None) -> None:
        self.program = program
        self.system = Execution(program)
        self.meter = meter
        self._options: dict[str, int | None] = {"memory": memory}
        if states is not None:
            self._options["states"] = states
        self.engine = Option.NESTED
        self.named = ""

    def choose(self, engine: str, asked: set[Option]) -> None:
        """Choose the engine and refuse what may not be combined."""
        if engine not in _ENGINES:
            raise OptionError(f"there is no engine {engine!r}; {', '.join(_ENGINES)} would be right")
        chosen = _ENGINES[engine]
        if chosen is None:
            chosen = Option.NESTED if asked & {Option.LIVENESS, Option.REDUCTION} else Option.BREADTH
        refuse(asked | {chosen})
        self.engine = chosen
        self._options["reduction"] = Option.REDUCTION in asked
        shown = chosen, Option.FAIRNESS, Option.REDUCTION
        names = [option.value for option in shown if option in asked | {chosen}]
        self.named = ", ".join(["compiled", *names])

    def run(self, look: Callable[[], tuple[str, Path] | None]) -> Result:
        """The result of a search, whichever way it ends."""
        meter = self.meter
        verdict, reason, path = Verdict.HOLDS, "", None
        try:
            found = look()
            if found is not None:
                verdict, (reason, path) = Verdict.VIOLATED, found
        except BoundReached as bound:
            verdict, reason = Verdict.EXHAUSTED, str(bound)
        except KeyboardInterrupt:
            verdict, reason = Verdict.EXHAUSTED, "interrupted"
        return Result(
            verdict, reason, path, meter.states, meter.transitions, meter.depth, meter.seconds, engine=self.named
        )

    def explore(self, deadlock: bool) -> tuple[str, Path] | None:
        """A deadlock or a fault."""
        exploration = self._exploration(None, deadlock=deadlock)
        from m4alloc.model import engine

        why = exploration.breadth() if self.engine is Option.BREADTH else exploration.nested()
        if why == engine.DONE:
            return None
        found = self._finite(exploration, why, DEADLOCK)
        return found if self.engine is Option.BREADTH else self._nearest(None, DEADLOCK, deadlock=deadlock) or found

    def product(
        self,
        engine: str,
        automaton: Automaton,
        fair: tuple[int, ...],
        violates: Callable[[Path], bool],
        reason: str,
        asked: set[Option],
    ) -> Result:
        """Whether there is a run that the automaton accepts, or a fault that is come to."""
        if terminal(automaton):
            # A finite run that violates can go on fairly, so that fairness makes no difference.
            fair = ()
        else:
            asked |= {Option.LIVENESS, Option.FAIRNESS} if fair else {Option.LIVENESS}
        if len(fair) > MOST_FAIR:
            raise OptionError(f"fairness to {len(fair)} processes; {MOST_FAIR} is the bound of the compiled search")
        self.choose(engine, asked)
        return self.run(lambda: self._product(automaton, fair, violates, reason))

    def _product(
        self, automaton: Automaton, fair: tuple[int, ...], violates: Callable[[Path], bool], reason: str
    ) -> tuple[str, Path] | None:
        from m4alloc.model import engine

        decided = universal(automaton)
        if self.engine is Option.BREADTH:
            exploration = self._exploration(automaton, decided=decided)
            why = exploration.breadth()
            return None if why == engine.DONE else self._finite(exploration, why, reason)
        exploration = self._exploration(automaton, fair=fair)
        why = exploration.nested()
        if why == engine.DONE:
            return None
        if why == engine.FAULT:
            met = self._finite(exploration, why, reason)
            return self._nearest(automaton, reason) or met
        keys = exploration.path()
        closing = exploration.closed()
        back = keys.index(closing)
        steps = self._steps(exploration, [*keys, closing])
        nodes = [exploration.node(key) for key in keys]
        lasso = Lasso(tuple(nodes[:back]), tuple(nodes[back:]), tuple(steps))
        product = Product(self.system, automaton, fair)
        product.skip_faults = True
        # Something was found, and it is told at whatever length.
        with suppress(KeyboardInterrupt):
            lasso = shorten(product, lasso)
        for position, node in enumerate(lasso.nodes):
            if node[1] in decided:
                # What has been read already decides: the letters before this node.
                length = max(1, position)
                found = tuple(inner for inner, _ in lasso.nodes[:length])
                return reason, Path(found, lasso.labels[: length - 1])
        try:
            return reason, simplify(lasso_path(lasso), violates)
        except KeyboardInterrupt:
            return reason, lasso_path(lasso)

    def _nearest(self, automaton: Automaton | None, reason: str, **options: object) -> tuple[str, Path] | None:
        """A shortest run to something wrong, unless that takes much more than finding any did."""
        from m4alloc.model import engine

        bounds = {"meter": Meter(), "states": 1000 + 4 * self.meter.states, "reduction": False}
        try:
            exploration = self._exploration(automaton, **bounds | options)
            why = exploration.breadth()
            return None if why == engine.DONE else self._finite(exploration, why, reason)
        except (BoundReached, KeyboardInterrupt):
            return None

    def _exploration(self, automaton: Automaton | None, **options: object) -> Exploration:
        """Machine code and arrays for a search of the program."""
        try:
            from m4alloc.model.exploration import Exploration
        except ModuleNotFoundError as missing:
            if missing.name not in {"numba", "llvmlite"}:
                raise
            raise ModuleNotFoundError("the compiled search needs numba: pip install 'm4alloc[fast]'") from None
        return Exploration(self.program, automaton, **{"meter": self.meter} | self._options | options)  # type: ignore[arg-type]

    def _finite(self, exploration: Exploration, why: int, reason: str) -> tuple[str, Path]:
        """The run to where the search stopped, and what is wrong there."""
        from m4alloc.model import engine

        failed, keys = exploration.failed(), exploration.path()
        states = [exploration.node(key)[0] for key in keys]
        steps = self._steps(exploration, keys)
        if why == engine.FAULT:
            step, target = self._taken(states[-1], failed)
            return step.fault, Path((*states, target), (*steps, step))
        return reason, finite_path(Found(reason, tuple(states), tuple(steps)))

    def _steps(self, exploration: Exploration, keys: list[tuple[int, ...]]) -> list[Step]:
        states = [exploration.node(key)[0] for key in keys[:-1]]
        commands = exploration.commands(keys)
        return [self._taken(state, command)[0] for state, command in zip(states, commands, strict=True)]

    def _taken(self, state: Values, command: int) -> tuple[Step, Values]:
        """The step that the command makes in that state."""
        successors = self.system.successors(state)
        if not successors:
            return STAY, state
        return next((step, target) for step, target in successors if step.command == command)
