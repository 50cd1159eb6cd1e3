"""Tables that a program holds as constants: reading one at a known place gives its entry, reading past it is UB."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from m4alloc.superopt.ir import (
    VOID,
    Block,
    Constant,
    Function,
    Global,
    Instruction,
    Int,
    Local,
    Value,
    constant,
)
from m4alloc.superopt.simplify import cleaned
from m4alloc.superopt.simplify_cfg import replaced, without

_TABLE = re.compile(
    r'@(?:"(?P<quoted>[^"]*)"|(?P<name>[-\w.$]+)) = '
    r"(?:(?:internal|private|dso_local|unnamed_addr|local_unnamed_addr) )*"
    r"constant \[(?P<count>\d+) x i(?P<width>8|16|32|64)\] "
    r'(?:\[(?P<entries>[^\]]*)\]|c"(?P<text>[^"]*)"|zeroinitializer)'
)

LARGEST = 1 << 16
"""Entries of a table that is still looked into."""
_BYTE = re.compile(r"\\[0-9A-Fa-f]{2}|\\\\|.", re.DOTALL)


@dataclass(frozen=True)
class Table:
    """Entries of `width` bits, unsigned, at the address of a constant."""

    width: int
    entries: tuple[int, ...]


def tables(lines: Iterable[str]) -> dict[str, Table]:
    r"""The constant arrays of integers that a module defines (`Module.globals`), by name.

    >>> tables(["@sizes = internal unnamed_addr constant [2 x i16] [i16 16, i16 -1], align 2"])
    {'sizes': Table(width=16, entries=(16, 65535))}
    >>> tables([r'@ends = constant [3 x i8] c"a\00\FF"'])
    {'ends': Table(width=8, entries=(97, 0, 255))}
    """
    found = {}
    for line in lines:
        match = _TABLE.match(line)
        if match and int(match["count"]) <= LARGEST:
            width = int(match["width"])
            entries = _entries(match, width)
            if len(entries) == int(match["count"]):
                found[match["quoted"] or match["name"]] = Table(width, entries)
    return found


def _entries(match: re.Match[str], width: int) -> tuple[int, ...]:
    if match["text"] is not None:  # how LLVM prints tables of bytes
        return tuple(int(byte[1:], 16) if len(byte) == 3 else ord(byte[-1]) for byte in _BYTE.findall(match["text"]))
    if match["entries"] is None:
        return (0,) * int(match["count"])
    numbers = re.findall(r" (-?\d+)(?:,|$)", match["entries"])  # one that is undef makes the table too short to be used
    return tuple(int(number) % (1 << width) for number in numbers)


def read(function: Function, known: Mapping[str, Table]) -> Function:
    """The function with loads from known tables at constant places replaced by what is there, and cleaned.

    A load past the end of its table is undefined, so the block that makes it ends there.
    """
    while known:
        places = _places(function, known)
        changes: dict[str, Value] = {}
        past: dict[str, str] = {}
        for block in function.blocks:
            for one in block.instructions:
                pointer = one.operands[0] if one.opcode == "load" else None
                place = places.get(pointer.name) if isinstance(pointer, Local) else None
                if place is None or one.flags or not isinstance(one.type, Int):
                    continue
                name, index = place
                if one.type.width != known[name].width:
                    continue
                if 0 <= index < len(known[name].entries):
                    changes[one.name] = constant(one.type, known[name].entries[index])
                else:
                    past.setdefault(block.name, one.name)
        if not changes and not past:
            return function
        function = replaced(without(function, frozenset(changes)), changes)
        for block_name, at in past.items():
            function = _ended(function, block_name, at)
        function = cleaned(function)
    return function


def _places(function: Function, known: Mapping[str, Table]) -> dict[str, tuple[str, int]]:
    """Names of addresses within known tables: the table and the index of the entry."""
    found: dict[str, tuple[str, int]] = {}
    for one in function:
        if one.opcode != "getelementptr" or len(one.operands) != 2:
            continue
        base, index = one.operands
        if not isinstance(base, Global) or base.name not in known or not isinstance(index, Constant):
            continue
        if one.element == Int(known[base.name].width):
            found[one.name] = base.name, _entry(index.signed, known[base.name].width // 8, one.flags)
    return found


def _entry(index: int, size: int, flags: Collection[str]) -> int:
    """The entry that an index leads to, some place outside every table where a flag makes the address poison.

    Without flags the offset wraps at 64 bits: index 2**61 of a table of i64 is its entry 0.
    """
    offset = index * size
    wrapped = (offset + (1 << 63)) % (1 << 64) - (1 << 63)
    if ("inbounds" in flags or "nusw" in flags) and wrapped != offset:
        return -1
    if "nuw" in flags and (index % (1 << 64)) * size >= 1 << 64:
        return -1
    return wrapped // size


def _ended(function: Function, name: str, at: str) -> Function:
    """The block cut before the instruction that defines `at`; what follows it cannot be reached from there."""
    block = function.block(name)
    place = next(k for k, one in enumerate(block.instructions) if one.name == at)
    cut = Block(name, (*block.instructions[:place], Instruction("unreachable", VOID)))
    blocks = []
    for other in function.blocks:
        if other.name == name:
            blocks.append(cut)
        elif other.name in block.successors:
            blocks.append(Block(other.name, tuple(_unreached(one, name) for one in other.instructions)))
        else:
            blocks.append(other)
    return replace(function, blocks=tuple(blocks))


def _unreached(one: Instruction, name: str) -> Instruction:
    if one.opcode != "phi":
        return one
    pairs = [(value, label) for value, label in zip(one.operands, one.labels, strict=True) if label != name]
    return replace(one, operands=tuple(v for v, _ in pairs), labels=tuple(label for _, label in pairs))
