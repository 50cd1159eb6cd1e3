"""Search for a plan that makes an allocator break a rule, and shrink it to the smallest that still does."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning, NoSuchExample

from m4alloc.check.edges import PAGE
from m4alloc.check.foreign import Foreign
from m4alloc.check.instruction import Planner
from m4alloc.check.judgement import Broken, Terms, held_back, judge, judge_usage
from m4alloc.check.observe import observe as observed
from m4alloc.check.operation import Aim, Operation
from m4alloc.check.scripted import told
from m4alloc.check.shrink import shrunk
from m4alloc.check.strategies import plans
from m4alloc.check.target import EndedError, Episode, Target
from spec.event import Function
from spec.script_writer import render
from spec.statement import Script

Seen = TypeVar("Seen")
REPEATED_BYTES = 1 << 24
PLAIN = Terms()


@dataclass(frozen=True, slots=True)
class Counterexample:
    """The smallest plan found that breaks a rule, the rule, and the episode that shows it.

    repeated: the rule broke only when the plan was carried out over and over (see Target.repeat).
    """

    target: str
    terms: Terms
    broken: Broken
    plan: list[Operation]
    episode: Episode
    repeated: bool = False
    plans_tried: int = 0

    def script(self) -> Script:
        """The history up to the event that broke the rule, claims included."""
        events = self.broken.history or self.episode.events
        return told(events if self.repeated else events[: self.broken.number + 1], self.terms)

    def _repr_html_(self) -> str:
        """For notebooks: the rule, what was seen, the script, and the heap as it was then."""
        from m4alloc.view.notebook_report import counterexample

        return counterexample(self)

    def __str__(self) -> str:
        """The rule, what was seen, and the script, which `spec.script` reads and any allocator can run."""
        lines = [f"# {self.target} breaks {self.broken.rule.name}", f"# {self.broken.message}"]
        if self.repeated:
            lines.append("# when this is repeated and all that is left over freed each time:")
        return "\n".join(lines) + "\n" + render(self.script())


def find_violation(
    target: Target, budget: int = 300, *, terms: Terms = PLAIN, threads: int = 3, seed: int = 0, limit: int = 1 << 18
) -> Counterexample | None:
    """The smallest plan found on which `target` breaks a rule, or None after `budget` plans.

    budget: a third each goes to one thread, to several, and (fewer, being longer) to repetition.
    limit: bytes, the largest request that can succeed.  Cost: about 5 ms a plan; shrinking takes up to 20 s.
    The same seed tries the same plans; an allocator that is random inside may still answer differently.
    """
    share = max(budget // 2, 1)
    searches: tuple[Callable[[], Counterexample | None], ...] = (
        lambda: find_history(target, share, terms=terms, threads=1, seed=seed, limit=limit),
        lambda: find_history(target, share, terms=terms, threads=threads, seed=seed, limit=limit),
        lambda: find_leak(target, max(budget // 10, 10), terms=terms, threads=threads, seed=seed),
    )
    for search in searches:
        found = search()
        if found is not None:
            return found
    return None


def find_history(
    target: Target, budget: int, *, terms: Terms, threads: int = 1, seed: int = 0, limit: int = 1 << 18
) -> Counterexample | None:
    """The smallest plan found whose history breaks a rule on these terms, or None after `budget` plans."""

    def observe(plan: list[Operation]) -> Broken | None:
        if isinstance(target, Foreign):  # by the compiled acceptor
            return observed(target, Planner().plan(plan), terms).broken
        return judge(target.run(plan), terms)

    chosen = plans(target.functions, threads=threads, limit=limit, misuse=terms.catches_misuse)
    found = smallest(chosen, observe, rule_name, budget, seed)
    if found is None:
        return None
    plan, broken, tried = found
    episode = target.run(plan)
    return Counterexample(target.name, terms, judge(episode, terms) or broken, plan, episode, plans_tried=tried)


def find_leak(
    target: Target, budget: int, *, terms: Terms = PLAIN, threads: int = 3, seed: int = 0
) -> Counterexample | None:
    """The smallest plan found whose repetition uses ever more memory, or None after `budget` plans."""

    def observe(plan: list[Operation]) -> Broken | None:
        try:
            limit = REPEATED_BYTES + 2 * held_back(plan, terms)
            return judge_usage(plan, target.repeat(plan, limit), terms)
        except EndedError as ended:
            return judge(ended.episode, terms)

    # Small blocks would have to be repeated very often before a leak of them shows, so sizes stay.
    found = smallest(leaking_plans(threads), observe, rule_name, budget, seed, numbers=False)
    if found is None:
        return None
    plan, broken, tried = found
    return Counterexample(target.name, terms, broken, plan, target.run(plan), repeated=True, plans_tried=tried)


def leaking_plans(threads: int) -> st.SearchStrategy[list[Operation]]:
    """Short plans of allocations and frees by several threads, of sizes at which a leak soon shows."""
    thread = st.integers(0, threads - 1)
    size = st.sampled_from([PAGE, 4 * PAGE, 16 * PAGE, 64 * PAGE])
    allocate = st.tuples(thread, size).map(lambda drawn: Operation(Function.MALLOC, drawn[0], size=drawn[1]))
    free = st.tuples(thread, st.integers(0, 3)).map(
        lambda drawn: Operation(Function.FREE, drawn[0], Aim.LIVE, drawn[1])
    )
    leave = thread.map(lambda drawn: Operation(Function.LABEL, drawn))
    return st.lists(st.one_of(allocate, allocate, free, free, leave), min_size=1, max_size=12)


def smallest(
    chosen: st.SearchStrategy[list[Operation]],
    observe: Callable[[list[Operation]], Seen | None],
    kind: Callable[[Seen], str],
    budget: int,
    seed: int,
    *,
    numbers: bool = True,
) -> tuple[list[Operation], Seen, int] | None:
    """The smallest plan found of which `observe` says something, what it says, and how many plans were tried.

    Only what is of the `kind` seen first counts: else a shrinker slips from the fault it found to another one that
    is easier to show. numbers: whether sizes are lowered in shrinking.
    """
    tried = 0
    last: dict[str, Seen] = {}

    def breaks(plan: list[Operation]) -> bool:
        nonlocal tried
        tried += 1
        seen = observe(plan)
        if seen is None or (last and kind(seen) not in last):
            return False
        last[kind(seen)] = seen
        return True

    chosen_settings = settings(
        max_examples=budget,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)  # that an unshrunk plan is long to print: it is not printed
        try:
            plan = find(chosen, breaks, settings=chosen_settings, random=random.Random(seed))
        except NoSuchExample:
            return None
    plan = shrunk(plan, breaks, numbers=numbers)
    breaks(plan)
    return plan, next(iter(last.values())), tried


def rule_name(broken: Broken) -> str:
    """The name of the rule that broke."""
    return broken.rule.name
