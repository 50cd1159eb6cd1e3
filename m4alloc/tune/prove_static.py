"""Gate 1: what can be said of a strategy without running anything but its opening: its invariants and its floor.

The invariants are checked here once more, by code of their own: a knob that `Strategy` let through by mistake, or that
somebody set behind its back, is refused all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from m4alloc.strategy import CLASS_MAX, CLASSES_MAX, GRANULE, LIMITS, SMALL_MAX, UNIT, Strategy, StrategyError
from m4alloc.tune.prove_child import in_child
from m4alloc.tune.prove_result import STATIC, GateResult
from m4alloc.tune.security import Floor
from m4alloc.tune.security_sizes import slot_wait
from m4alloc.view.quantity import plural
from spec.model.system import Verdict

PAGE = 4096
OPENED = 1 << 24
"""Bytes of the arena that is opened with the strategy; more when its slabs need more."""
SHORT = {"morello": "128m", "isav9": "128", "riscv": "128r"}
"""Formats that are known by the name of their architecture, too."""
OPENING = 20.0
"""Seconds that it may take."""


def static_gate(strategy: Strategy, floor: Floor) -> GateResult:
    """Check every invariant, the floor and the promise, and that the core takes the strategy as it is meant.

    Cost: 10 ms, most of it the fork in which an arena is opened.

    >>> print(static_gate(Strategy(), Floor.of("default")).verdict)
    HOLDS
    """
    began = time.monotonic()
    for check in (*CHECKS, floor.missing, core):
        broken = list(check(strategy))
        if broken:  # what comes after relies on what comes before
            return _refused(broken, time.monotonic() - began)
    detail = f"{plural(len(CHECKS), 'invariant')}, floor {floor.name}"
    if floor.promise:
        detail += f", {plural(floor.promise, 'free')} promised up to {floor.up_to} bytes"
    detail += "; the core promises the same"
    return GateResult(name=STATIC, verdict=Verdict.HOLDS, seconds=time.monotonic() - began, detail=detail)


def refused_at_once(error: StrategyError) -> GateResult:
    """The result for knobs of which no strategy can be made."""
    return _refused([str(error)], 0.0)


def _refused(broken: list[str], seconds: float) -> GateResult:
    more = f"; and {len(broken) - 1} more" if len(broken) > 1 else ""
    return GateResult(
        name=STATIC,
        verdict=Verdict.VIOLATED,
        seconds=seconds,
        detail=f"{broken[0]}{more}",
        counterexample="\n".join(broken),
    )


def numbers(strategy: Strategy) -> Iterator[str]:
    """Every number is in its range."""
    for name, (least, most) in LIMITS.items():
        value = getattr(strategy, name)
        if not isinstance(value, int) or not least <= value <= most:
            yield f"{name} is {value!r}; it must be from {least} to {most}"


def classes(strategy: Strategy) -> Iterator[str]:
    """Classes increase, are aligned, and none is beyond what the core serves."""
    sizes = strategy.classes
    if not 1 <= len(sizes) <= CLASSES_MAX:
        yield f"there are {len(sizes)} classes; there must be from 1 to {CLASSES_MAX}"
    for before, size in zip((0, *sizes), sizes, strict=False):
        if size <= before:
            yield f"class {size} follows {before}; classes must increase"
        step = GRANULE if size <= SMALL_MAX else PAGE
        if size % step or size > CLASS_MAX:
            yield f"class {size} must be a multiple of {step} up to {CLASS_MAX}"


def slabs(strategy: Strategy) -> Iterator[str]:
    """A slab of every class has a slot at least, and a stack of every class holds one."""
    for name in ("slab_bytes", "stack_depths"):
        given = getattr(strategy, name)
        if given and len(given) != len(strategy.classes):
            yield f"{name} has {len(given)} numbers; there are {len(strategy.classes)} classes"
    for size, held in zip(strategy.classes, strategy.slab_bytes, strict=False):
        if held % UNIT or held < size:
            yield f"class {size} has slabs of {held} bytes; a multiple of {UNIT} that holds a slot is needed"
    for size, depth in zip(strategy.classes, strategy.stack_depths, strict=False):
        if depth < 1:
            yield f"class {size} has a stack of {depth}; it must hold a slot at least"


def representable(strategy: Strategy) -> Iterator[str]:
    """The capability of every slot has exact bounds, when the strategy asks for that."""
    if not strategy.representable:
        return
    from capability.cheri.isa import ISAS
    from capability.cheri.narrow import representable_length, required_alignment

    known = {isa.format.name: isa for isa in ISAS}
    known |= {name: known[format] for name, format in SHORT.items()}
    isa = known.get(strategy.representable)
    if isa is None:
        yield f"representable is {strategy.representable!r}; there are {', '.join(sorted(known))}"
        return
    for size in strategy.classes:
        rounded, alignment = representable_length(size, isa), required_alignment(isa.format, size)
        if rounded != size:
            yield f"class {size} is not representable on {isa.name}: its bounds would be rounded to {rounded} bytes"
        elif size % alignment or UNIT % alignment:
            yield f"class {size} is not representable on {isa.name}: slots must lie at multiples of {alignment}"


def waits(strategy: Strategy) -> Iterator[str]:
    """Every class up to the limit of the promise has its lines in full; none can hold all of the address space."""
    for size in strategy.classes:
        kept = slot_wait(strategy, size)
        if size <= strategy.quarantine_limit and kept < strategy.quarantine_length:
            yield (
                f"{strategy.quarantine_length} frees are promised up to {strategy.quarantine_limit} bytes; "
                f"class {size} keeps a freed slot for {kept}"
            )
    held = sum((strategy.delay_line + strategy.quarantine) * size for size in strategy.classes)
    allowed = min(held, len(strategy.classes) * (strategy.delay_bytes + strategy.quarantine_bytes))
    if allowed > strategy.reserve:
        yield f"the lines of one thread may hold {allowed} bytes; the reservation is {strategy.reserve}"


CHECKS: tuple[Callable[[Strategy], Iterable[str]], ...] = (numbers, classes, slabs, representable, waits)
"""The invariants; each yields a line for whatever breaks it."""


def core(strategy: Strategy) -> Iterator[str]:
    """The core opens an arena with the strategy's text, and states the promise that the strategy has.

    In a child: a strategy on which it crashes is refused, too.
    """
    ended = in_child(lambda _: _opened(strategy), OPENING)
    if ended.how:
        yield f"the core does not open with it: {': '.join(filter(None, (ended.how, ended.said)))}"
        return
    wanted = strategy.quarantine_length, strategy.quarantine_limit
    if ended.value != wanted and (ended.value[0] or wanted[0]):
        yield (
            f"the core promises {ended.value[0]} frees up to {ended.value[1]} bytes; "
            f"the strategy says {wanted[0]} up to {wanted[1]}"
        )


def _opened(strategy: Strategy) -> tuple[int, int]:
    from m4alloc.arena import Arena

    with Arena(max(OPENED, 4 * max(strategy.slab_bytes, default=0)), strategy) as arena:
        arena.free(arena.malloc(GRANULE))
        arena.check()
        return arena.quarantine, arena.quarantine_limit


def toml_of(knobs: Mapping[str, Any]) -> str:
    """Knobs as the TOML that `Strategy.from_toml` reads.

    >>> print(toml_of({"delay_line": 8, "guards": True, "representable": "morello", "classes": (16, 32)}), end="")
    [strategy]
    delay_line = 8
    guards = true
    representable = "morello"
    classes = [16, 32]
    """
    return "".join(["[strategy]\n", *(f"{name} = {_value(value)}\n" for name, value in knobs.items())])


def differing(strategy: Strategy) -> dict[str, Any]:
    """The knobs that differ from the default.

    >>> differing(Strategy(delay_line=8))
    {'delay_line': 8}
    """
    default = Strategy()
    pairs = ((field.name, getattr(strategy, field.name)) for field in fields(strategy))
    return {name: value for name, value in pairs if value != getattr(default, name)}


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return str(list(value)) if isinstance(value, (tuple, list)) else str(value)
