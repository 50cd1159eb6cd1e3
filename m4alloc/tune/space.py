"""Space: the strategies that a search tries: for each knob an ordered menu of values, and a point chooses from each.

A knob of a Space is a field of Strategy, or `large`: where the class set is made to end. Values of the fields that
have one number a class are rules, because they follow whichever class set the point has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from m4alloc.strategy import Strategy, StrategyError
from m4alloc.tune.menus import (
    LADDERS,
    LIFTS,
    LIFTS_TOGETHER,
    NEEDS,
    PER_CLASS,
    SAFER,
    ByClass,
    SlabsAsRandom,
    class_sets,
    ending_at,
    found_for,
)

Point = tuple[int, ...]
"""Of each knob, in the order of the space, the index of a value in its menu."""

Allowed = Callable[[Strategy], bool]
"""Whether a strategy is secure enough to be considered at all."""


class SpaceError(ValueError):
    """Knobs or values that make no space; the message names them."""


def everything(strategy: Strategy) -> bool:
    """The floor that allows every strategy (`--security any`).

    >>> everything(Strategy(delay_line=0))
    True
    """
    return True


@dataclass(frozen=True, slots=True)
class Knob:
    """An ordered menu: values beside each other are alike.

    Raises SpaceError: no values, or one of them twice.

    >>> Knob("placement", (0, 1, 2)).nearest(3)
    2
    """

    name: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise SpaceError(f"knob {self.name} has no values")
        if len(set(self.values)) < len(self.values):
            raise SpaceError(f"knob {self.name} has a value twice: {', '.join(map(str, self.values))}")

    def nearest(self, value: Any) -> int:
        """The index of the value itself or, of numbers, of the one whose logarithm is nearest; else of the first."""
        if value in self.values:
            return self.values.index(value)
        if not isinstance(value, int):
            return 0
        return min(range(len(self.values)), key=lambda i: abs(math.log1p(self.values[i]) - math.log1p(value)))


@dataclass(frozen=True)
class Space:
    """Menus, and the strategy that has everything else.

    base: what knobs without a menu are, and where a point goes back to when values do not go together. allowed: the
    security floor. seeds: points worth trying first; the base is the first of them. A point always is a strategy that
    is valid and allowed: `strategy` keeps of its values as many as go together.
    Raises SpaceError: a knob that Strategy does not have, a base that is not allowed.

    >>> space = Space((Knob("delay_line", (16, 32)), Knob("placement", (0, 1, 2))))
    >>> space.size, space.default, space.strategy((1, 2)).to_environment()
    (6, (0, 0), 'delay_line=32,placement=2')
    >>> sorted(space.neighbours((0, 0)))
    [(0, 1), (1, 0)]
    """

    knobs: tuple[Knob, ...]
    base: Strategy = field(default_factory=Strategy)
    allowed: Allowed = everything
    seeds: tuple[Point, ...] = ()

    def __post_init__(self) -> None:
        for knob in self.knobs:
            if knob.name != "large" and not hasattr(self.base, knob.name):
                raise SpaceError(f"there is no knob {knob.name!r}")
        if len({knob.name for knob in self.knobs}) < len(self.knobs):
            raise SpaceError("a knob is in the space twice")
        if not self.allowed(self.base):
            raise SpaceError(f"the strategy to begin with is below the security floor: {told(self.base)}")
        if not self.seeds:
            object.__setattr__(self, "seeds", (self.default,))

    @classmethod
    def of(
        cls,
        suggestions: Mapping[str, Sequence[Any]] | None = None,
        *,
        base: Strategy | None = None,
        allowed: Allowed = everything,
        without: Sequence[str] = (),
    ) -> Space:
        """The space of every policy knob: ladders of sensible values, the base's own, and the exact answers.

        suggestions: of a knob the values that are known to be good, best first; they also make the seeds: all the best
        together, and each alone. Of slab_bytes and stack_depths a tuple belongs to the first suggested class set that
        has as many classes. without: knobs to leave as the base has them. Values that no strategy may have, or that no
        strategy above the floor has, are left out.

        >>> space = Space.of({"stack_depth": [4096]})
        >>> 4096 in space.knob("stack_depth").values, space.strategy(space.default) == Strategy()
        (True, True)
        >>> space.strategy(space.seeds[1]).to_environment()
        'stack_depth=4096'
        """
        base = base or Strategy()
        if not allowed(base):
            raise SpaceError(f"the strategy to begin with is below the security floor: {told(base)}")
        given = {name: tuple(values) for name, values in (suggestions or {}).items() if name not in without}
        sets = [tuple(one) for one in given.get("classes", ())]
        for name in PER_CLASS & set(given):
            given[name] = tuple(_for_its_set(name, value, sets, base) for value in given[name])
        menus: dict[str, list[Any]] = {"classes": [*class_sets(base.classes)]}
        menus |= {name: list(values) for name, values in LADDERS.items()}
        for name, suggested in given.items():
            menus.setdefault(name, []).extend(tuple(one) if name == "classes" else one for one in suggested)
        for name in menus:
            menus[name].append(_own(base, name))
        if base.randomise:
            menus["slab_bytes"].append(SlabsAsRandom(base))
        strongest = _strongest(base, menus)
        knobs = []
        for name, values in menus.items():
            kept = [v for v in _ordered(name, values) if _possible(name, v, base, strongest, allowed)]
            if name not in without and len(kept) > 1:
                knobs.append(Knob(name, tuple(kept)))
        space = cls(tuple(knobs), base, allowed)
        return cls(space.knobs, base, allowed, tuple(_seeds(space, given)))

    @cached_property
    def size(self) -> int:
        """How many points there are."""
        return math.prod(len(knob.values) for knob in self.knobs)

    @cached_property
    def default(self) -> Point:
        """The base's point."""
        return self.point_of(self.base)

    def knob(self, name: str) -> Knob:
        """A knob by its name. Raises: SpaceError."""
        for knob in self.knobs:
            if knob.name == name:
                return knob
        raise SpaceError(f"there is no knob {name!r} in this space; there are {', '.join(k.name for k in self.knobs)}")

    def strategy(self, point: Point) -> Strategy:
        """The strategy of a point: its values as far as they go together, those that mean nothing as the base has them.

        When they are not allowed together but would be with a longer delay line or the like, it is made longer. Else
        they are taken knob by knob, and a value that spoils it is left as the base has it. Cost: 0.1 ms; some
        milliseconds where values do not go together.
        """
        values = {knob.name: knob.values[index] for knob, index in zip(self.knobs, point, strict=True)}
        for name, (other, needed) in NEEDS.items():
            if name in values and bool(values.get(other, _own(self.base, other))) != needed:
                del values[name]
        whole = self._lifted(values)
        if whole is not None:
            return whole
        kept: dict[str, Any] = {}
        strategy = self.base
        for name, value in values.items():
            candidate = self._lifted({**kept, name: value})
            if candidate is not None:
                kept[name], strategy = value, candidate
        return strategy

    def _lifted(self, values: Mapping[str, Any]) -> Strategy | None:
        """The strategy of these values when it is valid and allowed; if need be with more of one knob of LIFTS, or of
        several of LIFTS_TOGETHER, of each as little as will do."""
        try:
            strategy = self._made(values)
            if self.allowed(strategy):
                return strategy
        except StrategyError:
            return None
        for name in LIFTS:
            for value in next((knob.values for knob in self.knobs if knob.name == name), ()):
                if value > getattr(strategy, name):
                    try:
                        candidate = strategy.with_(**{name: value})
                    except StrategyError:  # a longer line than its bytes hold
                        continue
                    if self.allowed(candidate):
                        return candidate
        return self._lifted_together(values, strategy)

    def _lifted_together(self, values: Mapping[str, Any], strategy: Strategy) -> Strategy | None:
        menus = {knob.name: knob.values for knob in self.knobs}
        stronger: dict[str, list[Any]] = {}
        for name in LIFTS_TOGETHER:
            own = values.get(name, _own(self.base, name))
            if name == "slab_bytes":
                more = [rule for rule in menus.get(name, ()) if isinstance(rule, SlabsAsRandom)]
            elif name == "guard_slabs":
                more = [one for one in menus.get(name, ()) if one and (not own or one < own)]
            else:
                more = [one for one in menus.get(name, ()) if one > own]
            if more:
                stronger[name] = [own, *more]

        def made(changes: Mapping[str, Any]) -> Strategy | None:
            try:
                candidate = self._made({**values, **changes})
            except StrategyError:
                return None
            return candidate if self.allowed(candidate) else None

        chosen = {name: options[-1] for name, options in stronger.items()}
        best = made(chosen) if len(chosen) > 1 else None
        if best is None:
            return None
        for name, options in stronger.items():
            for option in options[:-1]:
                less = made({**chosen, name: option})
                if less is not None:
                    chosen[name], best = option, less
                    break
        return best

    def _made(self, values: Mapping[str, Any]) -> Strategy:
        changes = dict(values)
        classes = ending_at(changes.get("classes", self.base.classes), changes.pop("large", 0))
        for name in PER_CLASS:
            value = changes.get(name, _own(self.base, name))
            changes[name] = value(classes) if callable(value) else value
        return self.base.with_(**{**changes, "classes": classes})

    def point_of(self, strategy: Strategy) -> Point:
        """The point whose values are nearest to the strategy's.

        >>> space = Space.of()
        >>> space.strategy(space.point_of(Strategy(delay_line=33))).delay_line
        32
        """
        indices = {knob.name: knob.nearest(getattr(strategy, knob.name, 0)) for knob in self.knobs}
        menus = {knob.name: knob.values for knob in self.knobs}
        ends = menus.get("large", (0,))
        if "classes" in menus or "large" in menus:
            pairs = [(s, e) for s in range(len(menus.get("classes", (0,)))) for e in range(len(ends))]
            wanted = set(strategy.classes)

            def apart(pair: tuple[int, int]) -> tuple[int, int]:
                own = menus["classes"][pair[0]] if "classes" in menus else self.base.classes
                return len(wanted ^ set(ending_at(own, ends[pair[1]]))), abs(ends[pair[1]])

            first, second = min(pairs, key=apart)
            indices |= {name: i for name, i in (("classes", first), ("large", second)) if name in menus}
        for name in PER_CLASS & set(menus):
            indices[name] = _nearest_rule(menus[name], strategy.classes, getattr(strategy, name))
        return tuple(indices[knob.name] for knob in self.knobs)

    def sample(self, rng: np.random.Generator) -> Point:
        """A point at random, every value of a menu as likely as the others."""
        return tuple(int(rng.integers(len(knob.values))) for knob in self.knobs)

    def neighbours(self, point: Point) -> Iterator[Point]:
        """The points that differ in one knob, by one place of its menu."""
        for at, knob in enumerate(self.knobs):
            for index in (point[at] - 1, point[at] + 1):
                if 0 <= index < len(knob.values):
                    yield (*point[:at], index, *point[at + 1 :])

    def mutate(self, point: Point, rng: np.random.Generator) -> Point:
        """Another point near it: one knob moved, or a few, mostly by one place and sometimes anywhere."""
        movable = [at for at, knob in enumerate(self.knobs) if len(knob.values) > 1]
        if not movable:
            return point
        count = min(len(movable), int(rng.geometric(0.6)))
        changed = list(point)
        for at in rng.choice(len(movable), count, replace=False):
            place = movable[int(at)]
            changed[place] = _moved(point[place], len(self.knobs[place].values), rng)
        return tuple(changed)

    def crossover(self, first: Point, second: Point, rng: np.random.Generator) -> Point:
        """Of each knob the value of one or the other."""
        return tuple(a if rng.random() < 0.5 else b for a, b in zip(first, second, strict=True))

    def check(self, point: Sequence[int]) -> Point:
        """The point itself, when it is one of this space. Raises: SpaceError."""
        if len(point) != len(self.knobs):
            raise SpaceError(f"a point of this space has {len(self.knobs)} indices, not {len(point)}")
        for knob, index in zip(self.knobs, point, strict=True):
            if not 0 <= index < len(knob.values):
                raise SpaceError(f"{knob.name} has no value {index}; its indices end at {len(knob.values) - 1}")
        return tuple(int(index) for index in point)


def told(strategy: Strategy) -> str:
    """A strategy in one line for messages: what differs from the default.

    >>> told(Strategy()), told(Strategy(guards=True))
    ('default', 'guards=1')
    """
    default = Strategy()
    parts = []
    for name in Strategy.__slots__:
        value = getattr(strategy, name)
        if value != getattr(default, name):
            text = "/".join(map(str, value)) if isinstance(value, tuple) else str(value)
            parts.append(f"{name}={int(value) if isinstance(value, bool) else text}")
    return ",".join(parts) or "default"


def _own(strategy: Strategy, name: str) -> Any:
    """What a strategy has of a knob, as a value of a menu."""
    if name == "large":
        return 0
    value = getattr(strategy, name)
    return found_for(name, strategy.classes, value) if name in PER_CLASS and value else value


def _for_its_set(name: str, value: Any, sets: Sequence[tuple[int, ...]], base: Strategy) -> Any:
    if callable(value) or not value:
        return value
    for classes in (*sets, base.classes):
        if len(classes) == len(value):
            return found_for(name, classes, tuple(value))
    raise SpaceError(f"{name} is suggested for {len(value)} classes, and no class set has as many")


def _ordered(name: str, values: Sequence[Any]) -> list[Any]:
    distinct = list(dict.fromkeys(values))
    if name == "classes":
        return sorted(distinct, key=lambda one: (len(one), one))
    if name in PER_CLASS:
        return sorted(distinct, key=lambda one: sum(one(Strategy().classes)) if one else 0)
    if name == "guard_slabs":
        return sorted(distinct, key=lambda one: 1 / one if one else 0)
    return sorted(distinct)


def _strongest(base: Strategy, menus: Mapping[str, Sequence[Any]]) -> Strategy:
    """The base with the most of everything that secures."""
    changes = {name: most(menus[name]) for name, most in SAFER.items() if name in menus}
    try:
        return base.with_(**changes)
    except StrategyError:
        return base


def _possible(name: str, value: Any, base: Strategy, strongest: Strategy, allowed: Allowed) -> bool:
    """Whether some strategy has the value and is allowed."""
    random = strongest.with_(quarantine_random=base.quarantine_random)
    rules: list[dict[str, Any]] = [{}, {"slab_bytes": SlabsAsRandom(base)}]
    for other in dict.fromkeys((base, strongest, random)):
        for more in rules if base.randomise else rules[:1]:
            try:
                if allowed(Space((Knob(name, (value,)),), other)._made({**more, name: value})):
                    return True
            except StrategyError:
                continue
    return False


def _nearest_rule(values: Sequence[Any], classes: Sequence[int], wanted: Sequence[int]) -> int:
    """The index of the rule that gives these numbers for these classes, or nearly."""
    if not wanted:
        return values.index(()) if () in values else 0

    def apart(index: int) -> float:
        rule = values[index]
        if not rule:
            return math.inf
        return sum(abs(math.log1p(a) - math.log1p(b)) for a, b in zip(rule(classes), wanted, strict=True))

    return min(range(len(values)), key=apart)


def _moved(index: int, count: int, rng: np.random.Generator) -> int:
    if rng.random() < 0.25:
        other = int(rng.integers(count - 1))
        return other + (other >= index)
    step = 1 if rng.random() < 0.5 else -1
    return index + step if 0 <= index + step < count else index - step


def _seeds(space: Space, given: Mapping[str, Sequence[Any]]) -> Iterator[Point]:
    """The base, the best suggestions together, each suggestion alone, and the hardened strategy; no strategy twice."""
    places = {knob.name: at for at, knob in enumerate(space.knobs)}
    menus = {knob.name: knob.values for knob in space.knobs}
    known = {name: [v for v in values if name in places and v in menus[name]] for name, values in given.items()}

    def with_values(values: Mapping[str, Any]) -> Point:
        point = list(space.default)
        for name, value in values.items():
            point[places[name]] = menus[name].index(value)
        return tuple(point)

    candidates = [space.default, with_values({name: values[0] for name, values in known.items() if values})]
    for name, values in known.items():
        # What is one a class belongs to its class set.
        for value in values:
            own = {"classes": value.classes} if isinstance(value, ByClass) else {}
            candidates.append(
                with_values({k: v for k, v in own.items() if k in menus and v in menus[k]} | {name: value})
            )
    candidates.append(space.point_of(Strategy.hardened()))
    seen = set()
    for point in candidates:
        strategy = space.strategy(point)
        if strategy not in seen:
            seen.add(strategy)
            yield point
