"""What two functions of different files refer to has to be the same in both, and laid out as the proofs take it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from m4alloc.superopt import printer
from m4alloc.superopt.ir import Function, Module

_NAME = re.compile(r'@(?:"([^"\n]*)"|([-a-zA-Z$._0-9]+))')
_DEFINED = re.compile(r'(?:declare |define )[^@]*@(?:"([^"\n]*)"|([-a-zA-Z$._0-9]+))|@(?:"([^"\n]*)"|([-\w$.]+)) = ')
_CONSTANT = re.compile(r'@(?:"([^"\n]*)"|([-\w$.]+)) = (?:(?!external |extern_weak )\S+ )*?constant ')
_INTEGER = re.compile(r"i(\d+):(\d+)")
_POINTER = re.compile(r"p0?:(\d+)")


def foreign(layout: str) -> str:
    """Why a data layout is none that proofs are made for, "" where it is little-endian with 64-bit pointers.

    >>> foreign("E-p:64:64")
    'the data layout "E-p:64:64" is big-endian: little-endian with 64-bit pointers is what proofs are made for'
    """
    what = ""
    for part in layout.split("-"):
        pointer, integer = _POINTER.match(part), _INTEGER.match(part)
        if part == "E":
            what = "is big-endian"
        elif pointer and pointer[1] != "64":
            what = f"has {pointer[1]}-bit pointers"
        elif integer and int(integer[1]) in (16, 32, 64, 128) and integer[1] != integer[2]:
            what = f"aligns i{integer[1]} to {integer[2]} bits"
    made_for = "little-endian with 64-bit pointers is what proofs are made for"
    return f'the data layout "{layout}" {what}: {made_for}' if what else ""


def differing(modules: tuple[Module, Module], functions: tuple[Function, Function]) -> str:
    """What the functions refer to and the modules define in different ways, as a reason; "" where there is nothing.

    Followed through what that refers to: callees of callees, tables of addresses.
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
    if any(map(_has_numbered_metadata, functions)) and modules[0].metadata != modules[1].metadata:
        return "metadata that they refer to by number is not the same in both files"
    return next(filter(None, (foreign(module.data_layout) for module in modules)), "")


def constants_of(module: Module, function: Function) -> tuple[str, ...]:
    """Names of the constants that the function refers to: proofs take their contents for any."""
    used = set(_names(printer.print_function(function).partition("{")[2]))
    given = (_CONSTANT.match(line) for line in module.globals)
    return tuple(sorted({name for match in given if match and (name := match[1] or match[2]) in used}))


def _has_numbered_metadata(function: Function) -> bool:
    # Not looked for in the printed function, which leaves bare references out.
    return any(re.search(r"!\d", f"{one.metadata} {one.text}") for one in function)


def _names(text: str) -> Iterator[str]:
    return (match[1] or match[2] for match in _NAME.finditer(text))


def _definitions(module: Module, function: Function) -> Iterator[tuple[str, str]]:
    """Each name that the module gives a meaning to, and the text that does; not the function itself."""
    others = (printer.print_function(one) for one in module.functions if one is not function)
    for text in (*module.globals, *module.declarations, *others):
        for line in re.split(r"^(?=define |declare )", text, flags=re.MULTILINE):
            if (match := _DEFINED.match(line)) and not match[0].endswith("@llvm"):
                yield next(filter(None, match.groups())), line
