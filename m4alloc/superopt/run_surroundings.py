"""What two functions of different files refer to has to be the same in both, and laid out as the proofs take it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from m4alloc.superopt import printer, smt_layout
from m4alloc.superopt.ir import Function, Int, Module, Struct, Type

_NAME = re.compile(r'@(?:"([^"\n]*)"|([-a-zA-Z$._0-9]+))')
_DEFINED = re.compile(r'(?:declare |define )[^@]*@(?:"([^"\n]*)"|([-a-zA-Z$._0-9]+))|@(?:"([^"\n]*)"|([-\w$.]+)) = ')
_CONSTANT = re.compile(r'@(?:"([^"\n]*)"|([-\w$.]+)) = (?:(?!external |extern_weak )\S+ )*?constant ')
_POINTER = re.compile(r"p(?:0|):")
_ALIGNED = re.compile(r"([ifv])(\d+):(\d+)")
_AGGREGATE = re.compile(r"a:(\d+)")
_CHECKED = {"i": (16, 32, 64, 128), "f": (16, 32, 64, 128), "v": (16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024)}
_KINDS = {"i": "integers", "f": "floats", "v": "vectors"}


def foreign(layout: str) -> str:
    """Why a data layout is none that proofs are made for, "" where it is little-endian with 64-bit pointers, and aligns
    to a value's own size.

    >>> foreign("E-p:64:64"), foreign("e-p:64:64-i64:64")
    ('the data layout "E-p:64:64" is big-endian: little-endian with 64-bit pointers is what proofs are made for', '')
    """
    what = ""
    for part in layout.split("-"):
        aligned, aggregate = _ALIGNED.match(part), _AGGREGATE.match(part)
        if part == "E":
            what = "is big-endian"
        elif _POINTER.match(part):
            size, *others = part.split(":")[1:]
            if size != "64":
                what = f"has {size}-bit pointers"
            elif others[:1] not in ([], ["64"]) or others[2:] not in ([], ["64"]):
                what = f"has pointers aligned or indexed otherwise: {part}"
        elif aggregate and int(aggregate[1]) > 8:
            what = f"aligns structures to {aggregate[1]} bits"
        elif aligned and int(aligned[2]) in _CHECKED[aligned[1]]:
            width, given = int(aligned[2]), int(aligned[3])
            if given != 1 << (width - 1).bit_length():
                what = f"aligns {_KINDS[aligned[1]]} of {width} bits to {given} bits"
    made_for = "little-endian with 64-bit pointers is what proofs are made for"
    return f'the data layout "{layout}" {what}: {made_for}' if what else ""


def unplaced(layout: str, function: Function) -> str:
    """Why it is not known where the fields of a structure in the function are; "" where that is known.

    Where a data layout says nothing of it, as no layout does, LLVM aligns i64 to 4 bytes, and i128 as i64; the targets
    align both to their own size.

    >>> from m4alloc.superopt.parse import parse_function
    >>> field = "define ptr @f(ptr %p) { %q = getelementptr {i32, i64}, ptr %p, i64 0, i32 1 ret ptr %q }"
    >>> unplaced("e-i64:64", parse_function(field)), "to 4 bytes" in unplaced("e", parse_function(field))
    ('', True)
    """
    given = {int(found[2]) for part in layout.split("-") if (found := _ALIGNED.match(part)) and found[1] == "i"}
    for one in function:
        if one.element is not None and (width := _placed_by_default(one.element, given, False)):
            told = f'the data layout "{layout}" says nothing of i{width}' if layout else "there is no data layout"
            return f"{told}: LLVM then aligns i{width} in {one.element} to 4 bytes, its targets to {width // 8}"
    return ""


def _placed_by_default(type: Type, given: Collection[int], inside: bool) -> int:
    """64 or 128, where the place of an integer of that class in a structure is LLVM's default; 0 where there is none.

    An i128 that is no field counts too: the size of an i72 depends on its alignment.
    """
    if isinstance(type, Struct):
        return max((_placed_by_default(part, given, True) for part in type.fields), default=0)
    if found := smt_layout.array(type):
        return _placed_by_default(found[1], given, inside)
    if isinstance(type, Int) and 32 < type.width <= 64 and inside and 64 not in given:
        return 64
    return 128 if isinstance(type, Int) and type.width > 64 and 128 not in given else 0


def differing(modules: tuple[Module, Module], functions: tuple[Function, Function], *, is_text: bool = True) -> str:
    """What the functions refer to and the modules define in different ways, as a reason; "" where there is nothing.

    Followed through what that refers to: callees of callees, tables of addresses.  is_text: only their texts were
    compared; else their meaning, to which `!llvm.loop` adds nothing that a proof does not show of every loop: an end.
    """
    texts = [printer.print_function(function) for function in functions]
    tables = [dict(_definitions(module, function)) for module, function in zip(modules, functions, strict=True)]
    waiting = {name for text in texts for name in _names(text.partition("{")[2])}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        first, second = (table.get(name, "") for table in tables)
        if first and second and first != second:
            return f"@{name} is not the same in both files"
        waiting |= set(_names(first + second)) - seen
    neutral = () if is_text else ("llvm.loop",)
    if (
        any(_has_numbered_metadata(function, neutral) for function in functions)
        and modules[0].metadata != modules[1].metadata
    ):
        return "metadata that they refer to by number is not the same in both files"
    return ""


def laid_out_otherwise(modules: tuple[Module, Module], functions: tuple[Function, Function]) -> str:
    """Why memory is not laid out as the proofs take it, in either file; "" where it is."""
    layouts = [module.data_layout for module in modules]
    return next(filter(None, (*map(foreign, layouts), *map(unplaced, layouts, functions))), "")


def constants_of(module: Module, function: Function) -> tuple[str, ...]:
    """Names of the constants that the function refers to: proofs take their contents for any."""
    used = set(_names(printer.print_function(function).partition("{")[2]))
    given = (_CONSTANT.match(line) for line in module.globals)
    return tuple(sorted({name for match in given if match and (name := match[1] or match[2]) in used}))


def _has_numbered_metadata(function: Function, neutral: Collection[str]) -> bool:
    # Not looked for in the printed function, which leaves bare references out.
    return any(
        re.search(r"!\d", one.text)
        or any(re.search(r"!\d", node) for kind, node in one.metadata if kind not in neutral)
        for one in function
    )


def _names(text: str) -> Iterator[str]:
    return (match[1] or match[2] for match in _NAME.finditer(text))


def _definitions(module: Module, function: Function) -> Iterator[tuple[str, str]]:
    """Each name that the module gives a meaning to, and the text that does; of the function itself that it is."""
    yield function.name, "what is compared"
    others = (printer.print_function(one) for one in module.functions if one is not function)
    for text in (*module.globals, *module.declarations, *others):
        for line in re.split(r"^(?=define |declare )", text, flags=re.MULTILINE):
            if (match := _DEFINED.match(line)) and not match[0].endswith("@llvm"):
                yield next(filter(None, match.groups())), line
