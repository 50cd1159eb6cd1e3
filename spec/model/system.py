"""What every search explores: states, steps between them, and the letter that each state is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

from spec.ltl.word import Letter, Word
from spec.picture import alone, badge, lines

State = TypeVar("State", bound=Hashable)


class Step(NamedTuple):
    """What leads from one state to the next.

    process: the number of the process that moves; -1 when none does. text: what it does, as a reader would say it.
    command: which command of the program it is; -1 when it is none. fault: why the step fails, when it does: an
    assertion that is false, a number out of its range; its target is then the state it fails in.
    """

    process: int
    text: str
    command: int = -1
    fault: str = ""


class System(Protocol[State]):
    """A transition system whose states are letters; propositions of events are true in the state their step leads to.

    A state without successors stays as it is for ever; that is a deadlock unless `ended` says otherwise.
    """

    @property
    def processes(self) -> tuple[str, ...]:
        """The names of the processes, by number."""

    def initial(self) -> Iterable[State]:
        """The states that a run may begin in; at least one."""

    def successors(self, state: State) -> Iterable[tuple[Step, State]]:
        """Every step from `state` and where it leads, in an order that does not change."""

    def letter(self, state: State) -> Letter:
        """The propositions that are true in `state`."""

    def ended(self, state: State) -> bool:
        """Whether a run may end in `state`: every process has come to its end or may wait for ever."""

    def show(self, state: State) -> str:
        """The state in one line, for people."""


class _Shown:
    """How a verdict is shown; apart, because an enumeration may not define such a name itself."""

    def _repr_html_(self) -> str:
        """For notebooks: the word in a frame."""
        return badge(str(self), {Verdict.HOLDS: True, Verdict.VIOLATED: False}.get(Verdict(str(self))))


class Verdict(_Shown, StrEnum):
    """The answer of a search. EXHAUSTED: a bound was reached before anything was found, so nothing is proved."""

    HOLDS = "HOLDS"
    VIOLATED = "VIOLATED"
    EXHAUSTED = "EXHAUSTED"


class Path(NamedTuple):
    """A run: states, the steps between them, and where it goes back to when it never ends.

    states: the first is initial. steps: steps[i] leads from states[i] to states[i + 1]; when `back` is not None there
    is one step more, from the last state to states[back]. A run with back None ends: in a fault, or in a violation of
    a safety property that no continuation can mend. A run that stays where it is for ever has a step of process -1.
    """

    states: tuple[Hashable, ...]
    steps: tuple[Step, ...]
    back: int | None = None

    def word(self, system: System[State]) -> Word:
        """The letters along the run: a lasso, or a finite word when it ends."""
        letters = tuple(system.letter(state) for state in self.states)  # type: ignore[arg-type]
        return Word(letters) if self.back is None else Word(letters[: self.back], letters[self.back :])

    def _repr_html_(self) -> str:
        """For notebooks: its steps, and the arc that goes back; states as they are stored."""
        from spec.ltl.picture import lasso

        states = [*map(str, self.states)]
        cut = len(states) if self.back is None else self.back
        return lasso(states[:cut], states[cut:], [step.text for step in self.steps], "run")

    def _repr_svg_(self) -> str:
        """The same where nobody says what the page looks like."""
        return alone(self._repr_html_())


class Result(NamedTuple):
    """What a search found: the verdict, the run that shows it, and how much was explored.

    reason: of a violation: the property that failed, "deadlock", or the text of a fault; of an exhausted search, the
    bound. states: different states of the system (of its product with an automaton, when there is one) that were
    stored; transitions: steps that were tried; depth: of the longest path.
    """

    verdict: Verdict
    reason: str = ""
    counterexample: Path | None = None
    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    engine: str = ""

    def _repr_html_(self) -> str:
        """For notebooks: the verdict, what was explored, and the run that shows it."""
        explored = f"{self.states:,} states, {self.transitions:,} transitions, depth {self.depth:,}"
        told = lines([*([self.reason] if self.reason else []), explored])
        run = self.counterexample._repr_html_() if self.counterexample is not None else ""
        return f"<p>{self.verdict._repr_html_()}</p>{told}{run}"
