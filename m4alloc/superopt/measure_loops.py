"""Loops around a function as LLVM text, for timing: results that feed the next call, and calls that do not wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from m4alloc.superopt.ir import VOID, Block, Constant, Function, Instruction, Int, Null, Pointer, Type, Value, Void
from m4alloc.superopt.printer import print_function

ROWS = 1024
"""Inputs in the table that a loop walks through, over and over."""
PAGE = 4096
"""Each loop begins a page, so that the same code is at the same place within its cache lines."""
INLINED = ("alwaysinline",)


class UnmeasurableError(ValueError):
    """A function that cannot be called in a loop; the message says why."""


def module_of(functions: Sequence[tuple[str, Function]]) -> str:
    """LLVM text with `latency_NAME` and `throughput_NAME` for each named function, and for one that does nothing.

    Each takes (ptr table, i64 count, i64 zero) and gives an i64: the table holds a row of 64-bit words per input, one
    for each argument.  In a latency loop every argument depends on the last result, by xor with what is always 0 at
    run time.  The functions are marked to be inlined; nothing else is optimised.
    Raises UnmeasurableError.
    """
    first = functions[0][1]
    for _, function in functions:
        _check(function)
    parts: list[str] = []
    declared: set[str] = set()
    for name, function in (("empty", _empty(first)), *functions):
        text = print_function(replace(function, name=name, attributes=INLINED))
        for line in text.splitlines():
            if line.startswith("declare"):
                if line in declared:
                    continue
                declared.add(line)
            parts.append(line)
        parts.append(_loop(name, function, waits=True))
        parts.append(_loop(name, function, waits=False))
    return "\n".join(parts) + "\n"


def _check(function: Function) -> None:
    for type, what in ((function.type, "its result"), *((one.type, f"%{one.name}") for one in function.arguments)):
        whole = isinstance(type, Int) and type.width <= 64
        if not (whole or type == Pointer() or (isinstance(type, Void) and what == "its result")):
            raise UnmeasurableError(f"@{function.name} is not timed: {what} is {type}, no integer up to 64 bits or ptr")


def _empty(like: Function) -> Function:
    """A function of the same signature that gives its first argument of the result's type, or a constant."""
    if isinstance(like.type, Void):
        ret = Instruction("ret", VOID)
    else:
        same = [argument.value for argument in like.arguments if argument.type == like.type]
        nothing: Value = Constant(like.type, 0) if isinstance(like.type, Int) else Null(Pointer())
        ret = Instruction("ret", VOID, (same[0] if same else nothing,))
    return replace(like, name="empty", blocks=(Block("entry.", (ret,)),), return_attributes=())


def _loop(name: str, function: Function, *, waits: bool) -> str:
    """One loop.  The table is walked in order; `waits`: the last result goes into every argument."""
    kind = "latency" if waits else "throughput"
    columns = len(function.arguments)
    lines = [
        f"define i64 @{kind}_{name}(ptr %table, i64 %count, i64 %zero) align {PAGE} {{",
        "entry:",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]",
        "  %last = phi i64 [ 0, %entry ], [ %result, %loop ]",
        "  %tied = and i64 %last, %zero",
        f"  %row = and i64 %i, {ROWS - 1}",
        f"  %start = mul i64 %row, {columns}",
    ]
    given = []
    for place, argument in enumerate(function.arguments):
        lines += [
            f"  %at{place} = add i64 %start, {place}",
            f"  %from{place} = getelementptr i64, ptr %table, i64 %at{place}",
            f"  %word{place} = load i64, ptr %from{place}, align 8",
            f"  %full{place} = {f'xor i64 %word{place}, %tied' if waits else f'add i64 %word{place}, 0'}",
            f"  %given{place} = {_narrowed(argument.type, f'%full{place}')}",
        ]
        given.append(f"{argument.type} %given{place}")
    call = f"call {function.type} @{name}({', '.join(given)})"
    if isinstance(function.type, Void):
        lines += [f"  {call}", "  %wide = add i64 %last, 0"]
    else:
        lines += [f"  %value = {call}", f"  %wide = {_widened(function.type)}"]
    lines += [
        f"  %result = {'add i64 %wide, 0' if waits else 'xor i64 %wide, %last'}",
        "  %next = add i64 %i, 1",
        "  %more = icmp ult i64 %next, %count",
        "  br i1 %more, label %loop, label %end",
        "end:",
        "  ret i64 %result",
        "}",
    ]
    return "\n".join(lines)


def _narrowed(type: Type, word: str) -> str:
    if isinstance(type, Int):
        return f"trunc i64 {word} to {type}" if type.width < 64 else f"add i64 {word}, 0"
    return f"inttoptr i64 {word} to ptr"


def _widened(type: Type) -> str:
    if isinstance(type, Int):
        return f"zext {type} %value to i64" if type.width < 64 else "add i64 %value, 0"
    return "ptrtoint ptr %value to i64"
