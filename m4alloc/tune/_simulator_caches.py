"""The simulator's caches, which the simulated core does not have: lines of two sizes of cache, and a TLB."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from m4alloc.tune._simulator_layout import (
    FAR,
    FAR_LINES,
    FAR_LINES_MAX,
    LINES,
    NEAR,
    NEAR_LINES,
    STRAYS,
    TLB,
    TLB_MISSES,
    TLB_PAGES,
    Bytes,
    Words,
    kernel,
)

MIX = 0x1E3779B97F4A7C15


def _fetch(typingctx: Any, array: Any, at: Any) -> Any:
    """Have the processor load the array's item into its cache; nothing waits for it."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        item = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        place = builder.bitcast(builder.gep(item.data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(prefetch, [place, word(1), word(3), word(1)])  # to be written to, into the nearest cache, data
        return context.get_dummy_value()

    return types.void(array, types.int64), emit


fetch: Any = intrinsic(_fetch)


@kernel
def is_far(m: Words, b: Bytes, line: int) -> bool:
    """Whether the far cache does not have the line."""
    return m[FAR + (((line * MIX) >> 40) & (FAR_LINES_MAX - 1))] != line


@kernel
def look(m: Words, b: Bytes, line: int) -> bool:
    """A line of 64 bytes is used: is it in the near cache, or at least in the far one? True: in neither.

    A line of which neither neighbour is in the far cache is a stray: nothing fetches it ahead of its use.
    """
    mixed = line * MIX
    i = (mixed >> 44) & (NEAR_LINES - 1)
    if m[NEAR + i] == line:
        return False
    m[NEAR + i] = line
    m[LINES] += 1
    page = line >> 6
    k = TLB + (((page * MIX) >> 40) & (TLB_PAGES - 1))
    if m[k] != page:
        m[k] = page
        m[TLB_MISSES] += 1
    j = (mixed >> 40) & (FAR_LINES_MAX - 1)
    if m[FAR + j] == line:
        return False
    m[FAR + j] = line
    m[FAR_LINES] += 1
    if is_far(m, b, line - 1) and is_far(m, b, line + 1):
        m[STRAYS] += 1
    return True
