"""Refinement by its definition: every outcome of the target is one of the source, for every input, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from m4alloc.superopt import ir
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.interpret_facts import holds
from m4alloc.superopt.interpret_memory import (
    NULL,
    UNDEF_BYTE,
    WILD,
    Byte,
    Element,
    Memory,
    Place,
    PlaceByte,
    Possible,
    Region,
    TooManyChoicesError,
    UnsupportedInputError,
)
from m4alloc.superopt.interpret_ops import POISON
from m4alloc.superopt.interpret_run import Outcome, Undefined, outcomes
from m4alloc.superopt.interpret_values import everything, lost
from m4alloc.superopt.verdict import Counterexample, UnsupportedError

INPUTS = 1 << 16
"""How many inputs one check may have."""

# Two blocks far apart and aligned; adjacent, so that the end of one is the start of the other; small and not aligned:
# what decides comparisons of addresses, bounds and alignments.
_LAYOUTS: tuple[Mapping[str, Region], ...] = (
    {"A": Region(0x1000, 8), "B": Region(0x2000, 8)},
    {"A": Region(0x1000, 8), "B": Region(0x1008, 8)},
    {"A": Region(0x1002, 5), "B": Region(0x2001, 3)},
)


def _known(*numbers: int) -> tuple[Byte, ...]:
    return tuple(frozenset({number}) for number in numbers)


# Known bytes, one undef, one poison at the start and one behind it, zeros (a null pointer), a stored pointer.
_FILLS: tuple[tuple[Byte, ...], ...] = (
    _known(0x12, 0x80, 0xFF, 0x00, 0x01, 0x7F, 0x34, 0x56),
    (*_known(0x12), UNDEF_BYTE, *_known(0x34, 0x56, 0, 1, 2, 3)),
    (frozenset({POISON}), *_known(0x01, 0x7F), UNDEF_BYTE, *_known(0, 1, 2, 3)),
    (*_known(0x80), frozenset({POISON}), *_known(0xFF, 0, 0, 0, 0, 0)),
    _known(0, 0, 0, 0, 0, 0, 0, 0),
    tuple(frozenset({PlaceByte(Place("B", 1), number)}) for number in range(8)),
)


@dataclass(frozen=True)
class Input:
    """Arguments, each as the set that a use may find, and the memory at entry."""

    arguments: tuple[Possible, ...]
    memory: Memory


def refines_by_enumeration(
    source: ir.Function, target: ir.Function, facts: Sequence[Fact] = (), *, shared: bool = False
) -> bool:
    """The target refines the source, by trying every input; see `difference`."""
    return difference(source, target, facts, shared=shared) is None


def difference(
    source: ir.Function, target: ir.Function, facts: Sequence[Fact] = (), *, shared: bool = False
) -> Counterexample | None:
    """The first input on which the target may do what the source may not; None where there is none.

    For functions whose integer arguments have some 12 bits together: every value, poison and undef.  With pointer
    arguments: null and every offset of two small blocks, in three layouts and with six fillings of memory, which is a
    search for counterexamples and no proof.  An input on which a fact does not hold, or that gives poison or undef
    to a name in it, makes the source undefined.
    shared: loads and stores must be the same, in the same order.
    Errors: UnsupportedError; TooManyChoicesError; FactError.  ValueError where the signatures differ.
    Cost: 10 to 100 microseconds an input.

    >>> x = ir.Argument("x", ir.Int(4))
    >>> def doubled(flags):
    ...     add = ir.Instruction("add", ir.Int(4), (x.value, x.value), "r", frozenset(flags))
    ...     end = ir.Instruction("ret", ir.VOID, (add.result,))
    ...     return ir.Function("f", ir.Int(4), (x,), (ir.Block("", (add, end)),))
    >>> print(difference(doubled([]), doubled(["nsw"])))
    x = 4: the source gives 8, the target poison
    >>> refines_by_enumeration(doubled(["nsw"]), doubled([]))
    True
    """
    return Enumeration(source, facts).difference(target, shared=shared)


class Enumeration:
    """All that a source may do, worked out once for comparison with many targets.

    Holds the outcomes on every input: some 200 bytes each.
    """

    def __init__(self, source: ir.Function, facts: Sequence[Fact] = ()) -> None:
        self.source = source
        self.facts = tuple(facts)
        self._known: list[tuple[Input, frozenset[Outcome] | None]] = []
        self._coming = inputs(source.arguments)

    def _rows(self) -> Iterator[tuple[Input, frozenset[Outcome] | None]]:
        """Inputs with the source's outcomes, None where everything is allowed."""
        yield from self._known
        for given in self._coming:
            allowed = None
            if not self.facts or _fact_holds(self.source, given, self.facts):
                found = _outcomes(self.source, given)
                allowed = found if isinstance(found, frozenset) else None
            self._known.append((given, allowed))
            yield given, allowed

    def difference(self, target: ir.Function, *, shared: bool = False) -> Counterexample | None:
        """The first input on which the target may do what the source may not: see the function `difference`."""
        source = self.source
        if [a.type for a in source.arguments] != [a.type for a in target.arguments] or source.type != target.type:
            raise ValueError(f"{source.name} and {target.name} differ in their arguments or results")
        for given, allowed in self._rows():
            if allowed is None:
                continue
            found = _outcomes(target, given)
            if found is None:
                continue
            if not isinstance(found, frozenset):
                return _counterexample(source, given, allowed, "undefined behaviour")
            for outcome in found:
                if outcome not in allowed and not any(covers(one, outcome, shared) for one in allowed):
                    return _counterexample(source, given, allowed, _shown(outcome))
        return None


def _outcomes(function: ir.Function, given: Input) -> frozenset[Outcome] | Undefined | None:
    """All outcomes; None where this input alone is not covered, which makes the search a little weaker."""
    try:
        return outcomes(function, given.arguments, given.memory)
    except UnsupportedInputError:
        return None


def confirms(source: ir.Function, target: ir.Function, example: Counterexample, facts: Sequence[Fact] = ()) -> bool:
    """On the counterexample's input the target does what the source may not, by the interpreter's own account.

    At any width, as only one input is looked at; undef, and freeze of poison, still need a width of 16 at most.
    Errors: UnsupportedError, also for an input with pointers, vectors or memory.
    """
    by_name = dict(example.inputs)
    arguments: list[Possible] = []
    for argument in source.arguments:
        text = by_name.get(argument.name, "")
        if text == "poison":
            arguments.append(frozenset({lost(argument.type)}))
        elif text == "undef":
            arguments.append(everything(argument.type))
        elif isinstance(argument.type, ir.Int) and text.isdigit():
            arguments.append(frozenset({int(text)}))
        else:
            raise UnsupportedError(f"the interpreter does not read the input {argument.name} = {text!r}")
    given = Input(tuple(arguments), Memory())
    if facts and not _fact_holds(source, given, facts):
        return False
    allowed, found = outcomes(source, given.arguments), outcomes(target, given.arguments)
    if not isinstance(allowed, frozenset):
        return False
    return not isinstance(found, frozenset) or any(
        not any(covers(one, outcome) for one in allowed) for outcome in found
    )


def _fact_holds(source: ir.Function, given: Input, facts: Sequence[Fact]) -> bool:
    """Every fact is true, and no argument that it names is poison or undef."""
    widths = {a.name: a.type.width if isinstance(a.type, ir.Int) else 64 for a in source.arguments}
    values: dict[str, int] = {}
    for name, possible in zip(widths, given.arguments, strict=True):
        if len(possible) == 1:
            (element,) = possible
            if isinstance(element, Place):
                values[name] = given.memory.address(element)
            elif isinstance(element, int):
                values[name] = element
    return holds(facts, values, widths)


def covers(allowed: Outcome, found: Outcome, shared: bool = False) -> bool:
    """One outcome of the source permits one of the target.

    A result that may be poison permits every result; otherwise each value of the target's must be one of the source's.
    """
    if allowed.value is not None and found.value is not None and not _includes(allowed.value, found.value):
        return False
    if shared and allowed.accesses != found.accesses:
        return False
    return all(a is b or _includes(a, b) for (_, a), (_, b) in zip(allowed.memory, found.memory, strict=True))


def _includes(allowed: Possible | Byte, found: Possible | Byte) -> bool:
    if found <= allowed or POISON in allowed:
        return True
    # Where some parts of an element are poison, the other parts still count.
    return all(any(_part_of(one, element) for one in allowed) for element in found)


def _part_of(allowed: object, element: object) -> bool:
    if isinstance(allowed, tuple) and isinstance(element, tuple):
        return all(map(_part_of, allowed, element))
    return allowed is POISON or allowed == element or (allowed is WILD and element is not POISON)


def inputs(arguments: Sequence[ir.Argument]) -> Iterator[Input]:
    """Every input of a function with these arguments; TooManyChoicesError where there are too many.

    Undef and poison come last for each argument, and are left out where `noundef` makes them UB in source and target.
    A pointer points into a block, to its end, or far outside; beside it, integers above four bits are only sampled.
    """
    has_pointer = any(isinstance(argument.type, ir.Pointer) for argument in arguments)
    found = 0
    for memory in _memories() if has_pointer else [Memory()]:
        options = [list(_options(argument, memory, has_pointer)) for argument in arguments]
        found += prod(map(len, options))
        if found > INPUTS:
            raise TooManyChoicesError(f"there are more than {INPUTS} inputs")
        for row in product(*options):
            yield Input(row, memory)


def _memories() -> list[Memory]:
    """The blocks that pointers may point into, laid out and filled in every way that is tried."""
    return [
        Memory(dict(layout), {(name, at): fill[at] for name, region in layout.items() for at in range(region.size)})
        for layout in _LAYOUTS
        for fill in _FILLS
    ]


def _options(argument: ir.Argument, memory: Memory, has_pointer: bool) -> Iterator[Possible]:
    """What an argument may be given."""
    type = argument.type
    if isinstance(type, ir.Pointer):
        yield frozenset({NULL})
        for name, region in memory.regions.items():
            yield from (frozenset({Place(name, at)}) for at in range(region.size + 1))
        yield frozenset({Place("A", -1 - memory.regions["A"].base)})  # the last address
    elif isinstance(type, ir.Vector):  # each lane may be undef or poison on its own
        lane = [frozenset({element}) for element in sorted(everything(type.element), key=_order)]
        if "noundef" not in argument.attributes:
            lane += [frozenset({lost(type.element)}), everything(type.element)]
        if len(lane) ** type.count > INPUTS:
            raise TooManyChoicesError(f"there are more than {INPUTS} inputs")
        yield from (frozenset(product(*lanes)) for lanes in product(lane, repeat=type.count))
        return
    elif isinstance(type, ir.Int) and has_pointer and type.width > 4:
        half = 1 << (type.width - 1)
        for number in (0, 1, 2, 3, half - 1, half, 2 * half - 2, 2 * half - 1):
            yield frozenset({number})
    else:
        yield from (frozenset({element}) for element in sorted(everything(type), key=_order))
    if "noundef" not in argument.attributes:
        yield frozenset({lost(type)})
        if isinstance(type, ir.Pointer) and argument.attributes:
            return
        if not (has_pointer and isinstance(type, ir.Int) and type.width > 8):
            yield everything(type)


def _order(element: Element) -> int:
    return element if isinstance(element, int) else 0


def _shown(outcome: Outcome) -> str:
    parts = [] if outcome.value is None else [shown(outcome.value)]
    if outcome.memory:
        parts.append("memory " + " ".join(shown(byte) for _, byte in outcome.memory))
    return " and ".join(parts) or "a return"


def shown(value: Possible | Byte) -> str:
    """A set of possible values as text.

    >>> shown(frozenset({3})), shown(frozenset({POISON})), shown(frozenset(range(16)))
    ('3', 'poison', 'undef (one of 16 values)')
    """
    if len(value) == 1:
        (element,) = value
        if isinstance(element, Place):
            return f"block {element.block} + {element.offset}" if element.block else f"null + {element.offset}"
        return str(element)
    if POISON in value:
        return "poison or a value"
    if len(value) <= 4:
        return "undef (one of " + ", ".join(sorted(map(str, value))) + ")"
    return f"undef (one of {len(value)} values)"


def _counterexample(source: ir.Function, given: Input, allowed: object, found: str) -> Counterexample:
    assert isinstance(allowed, frozenset)
    what = sorted(map(_shown, allowed))
    more = f" or {len(what) - 3} others" if len(what) > 3 else ""
    return Counterexample(
        tuple((argument.name, shown(value)) for argument, value in zip(source.arguments, given.arguments, strict=True)),
        " or ".join(what[:3]) + more,
        found,
        tuple((f"block {name} + {at}", shown(byte)) for (name, at), byte in given.memory.bytes.items()),
    )


__all__ = [
    "Enumeration",
    "Input",
    "TooManyChoicesError",
    "UnsupportedError",
    "confirms",
    "covers",
    "difference",
    "inputs",
    "outcomes",
    "refines_by_enumeration",
    "shown",
]
