"""Directed plans about single blocks: sizes, alignments, limits, resizing, zero bytes."""

from __future__ import annotations

import random

from m4alloc.check.edges import IMPOSSIBLE, PAGE, SIZE_MAX
from m4alloc.check.operation import Operation
from m4alloc.check.survey_words import (
    ALIGNED_ALLOC,
    CALLOC,
    EDGES,
    EVERY_SMALL,
    FEW,
    FREE,
    KIB,
    MALLOC,
    MIB,
    POSIX_MEMALIGN,
    REALLOC,
    Named,
    Plan,
    drop_all,
    make,
    on,
)
from spec.event import Function


def small(chance: random.Random) -> Named:
    """Every size, fresh and on memory that was used before; first of all a few blocks, which is soon shrunk."""
    pairs = [
        op
        for size in FEW
        for op in [*[make(MALLOC, size)] * 3, *drop_all(3)] * 3
        + [*[make(MALLOC, size)] * 3, *drop_all(3, oldest_first=True)] * 3
    ]
    yield "three-blocks-in-both-orders", pairs, False
    staying: Plan = []
    for size in FEW:
        four = [make(MALLOC, size)] * 4
        staying += [*four, *four[:2], *[on(FREE)] * 4, *four, *[on(FREE, 5)] * 4, *four, *drop_all(6)]
    yield "four-of-six-blocks-in-both-orders", staying, False
    for function in (MALLOC, CALLOC):
        word = function.name.lower()
        sizes = [*EVERY_SMALL, *EDGES]
        each = [make(function, size) for size in sizes]
        yield (
            f"{word}-of-every-size",
            [*each, *drop_all(len(each)), *each, *drop_all(len(each), oldest_first=True)],
            False,
        )
        used = [
            op
            for size in sizes
            if size <= 64 * KIB
            for op in (make(MALLOC, size), on(FREE), make(function, size), on(FREE))
        ]
        yield f"{word}-after-free-of-the-same-size", used, False
    dirty: Plan = []
    for size in FEW:
        dirty += [*[make(MALLOC, size)] * 40, *drop_all(40), *[make(CALLOC, 1, count=size)] * 40, *drop_all(40)]
        dirty += [*[make(MALLOC, size)] * 40, *drop_all(40), *[make(CALLOC, size)] * 40, *drop_all(40)]
    yield "calloc-of-used-memory", dirty, False
    between: Plan = []
    for size in [*FEW, *EVERY_SMALL[5::37]]:
        between += [
            *[make(MALLOC, size)] * 3,
            on(FREE, 1),
            make(CALLOC, size),
            make(CALLOC, 1, count=size),
            *drop_all(4),
        ]
    yield "calloc-between-live-blocks", between, False
    sized: Plan = []
    for size in [*FEW, *EVERY_SMALL[::7], *range(16, 1025, 16)]:
        sized += [make(MALLOC, size), on(Function.FREE_SIZED), *[make(MALLOC, n) for n in (size, size + 1, 2 * size)]]
        sized += [on(Function.FREE_SIZED, 2), make(MALLOC, size + 1), on(FREE, 1), on(FREE), on(FREE)]
    yield "sized-free", sized, False
    yield (
        "operator-new",
        [op for size in FEW for op in (make(Function.NEW, size), make(Function.NEW, size), on(FREE, 1), on(FREE))],
        False,
    )


def limits(chance: random.Random) -> Named:
    """What no allocator can serve."""
    huge: Plan = []
    for size in [*IMPOSSIBLE, SIZE_MAX - 16, SIZE_MAX - 31, SIZE_MAX // 2 - 64, 1 << 56, 1 << 48]:
        huge += [make(MALLOC, size), make(CALLOC, size), make(CALLOC, size, count=2), make(CALLOC, 1, count=size)]
        huge += [
            make(ALIGNED_ALLOC, size, alignment=64),
            make(POSIX_MEMALIGN, size, alignment=64),
            make(Function.MEMALIGN, size, alignment=32),
        ]
        huge += [
            make(Function.VALLOC, size),
            make(Function.PVALLOC, size),
            make(REALLOC, size),
            make(Function.NEW, size),
        ]
        huge += [
            make(MALLOC, 24),
            make(MALLOC, 5000),
            on(REALLOC, 1, size=size),
            on(REALLOC, size=size),
            on(FREE),
            on(FREE),
        ]
    yield "impossible-sizes", huge, False
    products: Plan = []
    for count, size in (
        (1 << 32, 1 << 32),
        (1 << 33, 1 << 31),
        (SIZE_MAX, 2),
        (SIZE_MAX // 2 + 1, 2),
        (SIZE_MAX // 24 + 2, 24),
        (1 << 63, 2),
        (3, SIZE_MAX // 3 + 9),
        (SIZE_MAX, SIZE_MAX),
        (65537, SIZE_MAX // 65537 + 2),
    ):
        products += [make(CALLOC, size, count=count), make(CALLOC, count, count=size)]
        products += [
            make(Function.REALLOCARRAY, size, count=count),
            make(MALLOC, 40),
            on(Function.REALLOCARRAY, size=size, count=count),
            on(FREE),
        ]
    yield "products-that-overflow", products, False
    bad: Plan = [make(MALLOC, 100)]
    for alignment in (
        0,
        1,
        2,
        3,
        4,
        5,
        7,
        12,
        20,
        24,
        48,
        63,
        65,
        96,
        1000,
        PAGE - 8,
        PAGE + 8,
        SIZE_MAX,
        SIZE_MAX - 7,
        3 << 40,
    ):
        bad += [make(POSIX_MEMALIGN, 64, alignment=alignment), make(POSIX_MEMALIGN, 5000, alignment=alignment)]
        if alignment & (alignment - 1) or not alignment:
            bad.append(make(ALIGNED_ALLOC, 64, alignment=alignment))
    yield "alignments-that-are-none", [*bad, on(FREE, 0)], False
    great = [
        make(f, size, alignment=1 << n)
        for n in (*range(24, 34, 3), 40, 47, 55, 62, 63)
        for f in (ALIGNED_ALLOC, POSIX_MEMALIGN, Function.MEMALIGN)
        for size in (1, 100, PAGE)
    ]
    yield "huge-alignments", [op for one in great for op in (one, on(FREE))], False


def nothing(chance: random.Random) -> Named:
    """Requests of zero bytes, and the null pointer."""
    zero: Plan = [make(MALLOC, 0)] * 100 + [
        make(CALLOC, 0, count=3),
        make(CALLOC, 5, count=0),
        make(ALIGNED_ALLOC, 0, alignment=64),
        make(POSIX_MEMALIGN, 0, alignment=64),
        make(REALLOC, 0),
    ]
    yield "zero-bytes", [*zero, *[make(MALLOC, 16)] * 20, *drop_all(len(zero) + 20)], False
    yield (
        "the-null-pointer",
        [
            Operation(FREE),
            Operation(Function.USABLE_SIZE),
            make(REALLOC, 40),
            on(FREE),
            Operation(Function.FREE_SIZED),
            Operation(FREE),
            make(MALLOC, 8),
            Operation(FREE),
            on(FREE),
        ],
        False,
    )
    grown = [op for size in FEW for op in (make(MALLOC, 0), on(REALLOC, size=size), on(FREE))]
    yield "growing-from-nothing", grown, False
    shrunk = [
        op for size in FEW for op in (make(MALLOC, size), on(REALLOC, size=0), make(MALLOC, size), make(MALLOC, size))
    ]
    yield "realloc-to-nothing", shrunk, False


def aligned(chance: random.Random) -> Named:
    """Each alignment, with sizes about it."""
    for function in (ALIGNED_ALLOC, POSIX_MEMALIGN, Function.MEMALIGN):
        plan: Plan = []
        for alignment in (1 << n for n in range(3 if function is POSIX_MEMALIGN else 0, 21)):
            sizes = [0, 1, 24, 100, 1000, PAGE, alignment - 1, alignment, alignment + 1, 3 * alignment]
            each = [make(function, size, alignment=alignment) for size in sizes if size <= 4 * MIB]
            mixed = [op for one in each for op in (one, make(MALLOC, one.size))]
            plan += [*each, *drop_all(len(each)), *mixed, *drop_all(len(mixed), oldest_first=True)]
            plan += [
                *each[:6],
                *(on(REALLOC, 5, size=size) for size in (10, 300, 5000, 70000, 24, alignment)),
                *drop_all(6),
            ]
            plan += [op for one in each[:6] for op in (one, on(Function.FREE_SIZED))]
        yield f"{function.name.lower().replace('_', '-')}-of-every-alignment", plan, False
    for function in (Function.VALLOC, Function.PVALLOC):
        plan = [
            op
            for size in (0, *FEW)
            for op in (make(function, size), make(MALLOC, 24), on(FREE, 1), make(function, size))
        ]
        yield f"{function.name.lower()}", [*plan, *drop_all(len(FEW) * 2 + 2)], False


def resizing(chance: random.Random) -> Named:
    """realloc from each size to each, alone and between neighbours."""
    grid: Plan = []
    for old in FEW:
        for new in FEW:
            grid += [make(MALLOC, old), on(REALLOC, size=new), on(FREE)]
            grid += [
                make(MALLOC, old),
                make(MALLOC, old),
                make(MALLOC, old),
                on(REALLOC, 1, size=new),
                make(MALLOC, old),
                *drop_all(4),
            ]
    yield "realloc-from-each-size-to-each", grid, False
    steps: Plan = [make(MALLOC, 1), make(MALLOC, 1)]
    steps += [on(REALLOC, 1 - n % 2, size=n) for n in range(1, 3000)] + [
        on(REALLOC, n % 2, size=3000 - n) for n in range(1, 3000)
    ]
    yield "realloc-by-single-bytes", [*steps, on(FREE), on(FREE)], False
    growth: Plan = [make(MALLOC, 10)]
    size = 10
    while size < 24 * MIB:
        size = size * 3 // 2 + chance.randrange(8)
        growth.append(on(REALLOC, size=size))
    growth += [on(REALLOC, size=size // 2**n) for n in range(1, 20)]
    yield "realloc-by-half-again", [*growth, on(FREE)], False
    crossing = [
        op
        for edge in EDGES
        if edge > 2
        for op in (
            make(CALLOC, edge),
            make(MALLOC, 16),
            on(REALLOC, 1, size=edge + 1),
            on(REALLOC, size=edge - 1),
            on(REALLOC, size=edge + 20),
            on(FREE),
            on(FREE),
        )
    ]
    yield "realloc-across-each-edge", crossing, False
    array = [
        op
        for size in FEW
        for op in (
            make(MALLOC, size),
            on(Function.REALLOCARRAY, size=size, count=3),
            make(Function.REALLOCARRAY, size, count=2),
            on(FREE),
            on(FREE),
        )
    ]
    yield "reallocarray", array, False
