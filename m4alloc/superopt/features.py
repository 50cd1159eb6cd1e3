"""What a learner is told of a function and of each way to rewrite it: fixed vectors of small numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from m4alloc.superopt.ir import (
    BINARY,
    CASTS,
    Constant,
    ConstantVector,
    Function,
    Int,
    Local,
    Pointer,
    Type,
    Value,
    Vector,
)
from m4alloc.superopt.rule import Rule

Row = npt.NDArray[np.float32]

MOST: Final = 4.0
"""No feature is further from 0."""

STOP: Final = 0
"""The number of the action that ends an episode."""

KINDS: Final = (
    "fold",
    "identity",
    "strength",
    "compare",
    "bits",
    "reassociate",
    "select",
    "minmax",
    "overflow",
    "memory",
    "branch",
    "cast",
    "vector",
)

_FAMILIES: Final[Mapping[str, str]] = {
    **{name: name for name in sorted(BINARY | CASTS)},
    **dict.fromkeys(("ptrtoint", "inttoptr", "bitcast", "ptrtoaddr"), "pointer cast"),
    **{name: name for name in ("icmp", "select", "freeze", "phi", "load", "store", "getelementptr", "br", "switch")},
    **dict.fromkeys(("ctpop", "ctlz", "cttz"), "count"),
    **dict.fromkeys(("bswap", "bitreverse", "fshl", "fshr"), "permute"),
    **dict.fromkeys(("umin", "umax", "smin", "smax", "abs"), "minmax"),
    **dict.fromkeys(("uadd", "usub", "umul", "sadd", "ssub", "smul", "extractvalue", "insertvalue"), "overflow"),
    **dict.fromkeys(("extractelement", "insertelement", "shufflevector"), "vector"),
}
GROUPS: Final = (*dict.fromkeys(_FAMILIES.values()), "other")
_PLACE: Final = {name: place for place, name in enumerate(GROUPS)}
_WIDTHS: Final = (1, 8, 16, 32, 64)
_CONSTANTS: Final = ("zero", "one", "ones", "power of two", "mask", "constant")
_MARKS: Final = 12

FUNCTION: Final = (
    *(f"count of {group}" for group in GROUPS),
    *(f"share of i{width}" for width in _WIDTHS),
    "share of pointers",
    "share of vectors",
    "share of other types",
    *(f"count of {kind}" for kind in _CONSTANTS),
    "arguments",
    "blocks",
    "depth",
    "size",
    "flags",
    "cost by the source's",
    "best by the source's",
    "steps left",
)
"""Names of what is told of a function, in order."""

ACTION: Final = (
    "stop",
    *(f"kind {kind}" for kind in KINDS),
    *(f"pattern has {group}" for group in GROUPS),
    *(f"gains {group}" for group in GROUPS),
    "pattern's size",
    "size saved",
    "needs facts",
    "is conditional",
    "depth of the place",
    "place used once",
    "place used often",
    "place is returned",
    "applied before",
    "applied last",
    *(f"mark {number}" for number in range(_MARKS)),
)
"""Names of what is told of a way to rewrite, in order."""

FEATURES: Final = (*FUNCTION, *ACTION)
"""All names: weights are for exactly these."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an episode is: costs by the source's, the share of steps left, and the rules applied so far, in order."""

    cost: float = 1.0
    best: float = 1.0
    left: float = 1.0
    applied: tuple[str, ...] = ()


def group_of(word: str) -> str:
    """The group of an opcode, of an intrinsic's full name, or of the head of a rule's term.

    >>> group_of("llvm.umin.i32"), group_of("umin"), group_of("uadd.with.overflow"), group_of("unreachable")
    ('minmax', 'minmax', 'overflow', 'other')
    """
    return _FAMILIES.get(re.split(r"[._]", word.removeprefix("llvm."))[0], "other")


def kind_of(value: Constant) -> str:
    """What a constant looks like.

    >>> from m4alloc.superopt.ir import constant
    >>> [kind_of(constant(Int(8), number)) for number in (0, 1, -1, 64, 31, 77)]
    ['zero', 'one', 'ones', 'power of two', 'mask', 'constant']
    """
    number = value.value
    if number == (1 << value.type.width) - 1:
        return "ones" if number != 1 else "one"
    if number < 2:
        return "one" if number else "zero"
    if not number & (number - 1):
        return "power of two"
    return "constant" if number & (number + 1) else "mask"


def depths(function: Function) -> dict[str, int]:
    """Of each local the longest chain of instructions that leads to it, arguments 0; around a loop counted once."""
    found = {argument.name: 0 for argument in function.arguments}
    for instruction in function:
        if instruction.name:
            before = (found.get(one.name, 0) for one in instruction.operands if isinstance(one, Local))
            found[instruction.name] = 1 + max(before, default=0)
    return found


def function_row(function: Function, standing: Standing | None = None) -> Row:
    """The function as a vector: see FUNCTION.  Cost: 30 us for ten instructions."""
    standing = standing or Standing()
    groups = np.zeros(len(GROUPS))
    types = np.zeros(len(_WIDTHS) + 3)
    kinds = dict.fromkeys(_CONSTANTS, 0)
    flags = size = 0
    for instruction in function:
        flags += len(instruction.flags)
        if instruction.opcode != "ret":
            size += 1
            groups[_PLACE[group_of(instruction.callee or instruction.opcode)]] += 1
            types[_type_place(instruction.type)] += 1
        for operand in instruction.operands:
            for one in _integers(operand):
                kinds[kind_of(one)] += 1
    depth = max(depths(function).values(), default=0)
    row = (
        *np.log2(1.0 + groups) / 2,
        *types / max(1, size),
        *(np.log2(1.0 + count) / 2 for count in kinds.values()),
        len(function.arguments) / 4,
        len(function.blocks) / 8,
        depth / 16,
        size / 16,
        flags / 8,
        standing.cost,
        standing.best,
        standing.left,
    )
    return np.clip(np.array(row, np.float32), -MOST, MOST)


@dataclass(frozen=True, slots=True)
class Places:
    """What action rows need to know of a function, found once for all of them."""

    depth: Mapping[str, int]
    uses: Mapping[str, int]
    returned: frozenset[str]

    @classmethod
    def of(cls, function: Function) -> Places:
        """Of this function."""
        returned = frozenset(
            operand.name
            for instruction in function
            if instruction.opcode == "ret"
            for operand in instruction.operands
            if isinstance(operand, Local)
        )
        return cls(depths(function), function.uses(), returned)


def action_row(places: Places, rule: Rule, at: str, standing: Standing) -> Row:
    """A rule at a place (`%name`) as a vector, see ACTION: nothing in it needs the rule to be applied.  Cost: 8 us."""
    at = at.removeprefix("%")
    uses = places.uses.get(at, 0)
    applied = standing.applied
    place = (
        places.depth.get(at, 0) / 16,
        uses == 1,
        uses > 1,
        at in places.returned,
        min(1.0, applied.count(rule.name) / 4),
        bool(applied) and applied[-1] == rule.name,
    )
    row = _rule_row(rule).copy()
    row[_AT : _AT + len(place)] = place
    return np.clip(row, -MOST, MOST)


def stop_row() -> Row:
    """To stop here, as a vector."""
    row = np.zeros(len(ACTION), np.float32)
    row[0] = 1.0
    return row


def term_groups(term: str) -> dict[str, int]:
    """How often each group of opcodes stands in a rule's term.

    >>> term_groups("(add nsw (mul x {width(x) - 1}) (umin x y))")
    {'add': 1, 'mul': 1, 'minmax': 1}
    """
    found: dict[str, int] = {}
    for head in re.findall(r"\(\s*([a-z][\w.]*)", re.sub(r"\{[^{}]*\}", "", term)):
        group = group_of(head)
        found[group] = found.get(group, 0) + 1
    return found


_AT = ACTION.index("depth of the place")


@lru_cache(maxsize=4096)
def _rule_row(rule: Rule) -> Row:
    before, after = term_groups(rule.pattern), term_groups(rule.replacement)
    size, then = sum(before.values()), sum(after.values())
    digest = blake2b(rule.name.encode(), digest_size=2).digest()
    bits = int.from_bytes(digest, "little")
    row = (
        0.0,
        *(float(rule.kind == kind) for kind in KINDS),
        *(before.get(group, 0) / 2 for group in GROUPS),
        *((after.get(group, 0) - before.get(group, 0)) / 2 for group in GROUPS),
        size / 4,
        (size - then) / 4,
        float(bool(rule.needs)),
        float(rule.condition != "True"),
        *(0.0 for _ in range(6)),
        # Rules that look alike are told apart by a few fixed pseudo-random signs.
        *(0.5 if bits >> number & 1 else -0.5 for number in range(_MARKS)),
    )
    return np.array(row, np.float32)


def _type_place(type: Type) -> int:
    if isinstance(type, Int):
        return _WIDTHS.index(type.width) if type.width in _WIDTHS else len(_WIDTHS) + 2
    return len(_WIDTHS) + (0 if isinstance(type, Pointer) else 1 if isinstance(type, Vector) else 2)


def _integers(value: Value) -> list[Constant]:
    if isinstance(value, Constant):
        return [value]
    if isinstance(value, ConstantVector):
        return [one for one in value.elements if isinstance(one, Constant)][:1]
    return []
