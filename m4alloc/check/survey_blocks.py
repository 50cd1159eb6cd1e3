"""Directed plans about single blocks: sizes, alignments, limits, resizing, zero bytes."""

from __future__ import annotations

import random

from m4alloc.check.edges import IMPOSSIBLE, PAGE, PTRDIFF_MAX, SIZE_MAX, SMALL_EDGES
from m4alloc.check.operation import Directive, Operation, directive
from m4alloc.check.survey_words import (
    ALIGNED_ALLOC,
    CALLOC,
    EDGES,
    EVERY_SMALL,
    FEW,
    FREE,
    GIB,
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
    sized: Plan = [
        op
        for nothing in (make(MALLOC, 0), make(CALLOC, 0, count=3), make(ALIGNED_ALLOC, 0, alignment=64))
        for op in (nothing, on(Function.FREE_SIZED))
    ]
    for size in [*FEW, *EVERY_SMALL[::7], *range(16, 1025, 16)]:
        sized += [make(MALLOC, size), on(Function.FREE_SIZED), *[make(MALLOC, n) for n in (size, size + 1, 2 * size)]]
        sized += [on(Function.FREE_SIZED, 2), make(MALLOC, size + 1), on(FREE, 1), on(FREE), on(FREE)]
    yield "sized-free", sized, False
    yield (
        "operator-new",
        [op for size in FEW for op in (make(Function.NEW, size), make(Function.NEW, size), on(FREE, 1), on(FREE))],
        False,
    )


def recycled(chance: random.Random) -> Named:
    """calloc of memory that blocks of other sizes had."""
    others: Plan = []
    for size in [30_000, 10_000, *FEW[17:4:-2]]:
        count = min(300, 256 * KIB // size)
        others += [*[make(MALLOC, size)] * count, *drop_all(count)]
        others += [op for other in FEW[2:18:3] for op in (*[make(CALLOC, other)] * 4, *drop_all(4, oldest_first=True))]
    yield "calloc-where-other-sizes-were", others, False
    large: Plan = []
    for size in (40_000, 100_000, 300_000, MIB, 3 * MIB):
        large += [make(MALLOC, size), on(FREE), make(CALLOC, size * 9 // 10), on(FREE)]
        large += [make(MALLOC, size), on(FREE), make(CALLOC, size // 2), make(CALLOC, size // 3), *drop_all(2)]
        large += [*[make(MALLOC, size // 10)] * 20, *drop_all(20), make(CALLOC, size), on(FREE)]
    yield "calloc-of-used-large-memory", large, False


def gigabytes(chance: random.Random) -> Named:
    """Sizes and alignments that 32 bits do not hold; no calloc, since one that writes zeros would use memory up."""
    sizes = [2 * GIB - PAGE, 2 * GIB, 3 * GIB, 4 * GIB, 4 * GIB + 5000]
    each: Plan = []
    for size in sizes:
        each += [make(MALLOC, size), make(MALLOC, 100), on(Function.USABLE_SIZE, 1), *drop_all(2)]
    for function in (ALIGNED_ALLOC, POSIX_MEMALIGN, Function.MEMALIGN):
        each += [make(function, 4 * GIB + 5000, alignment=256), on(FREE)]
    for size in (3 * GIB, 4 * GIB + 5000):
        each += [make(MALLOC, 100), on(REALLOC, size=size), make(MALLOC, 100), on(REALLOC, 1, size=1000), *drop_all(2)]
        each += [make(Function.REALLOCARRAY, size // 4 + 1, count=4), on(FREE)]
    yield "beyond-two-gibibytes", each, False
    held = [op for size in (3 * GIB, 3 * GIB, GIB) for op in (make(MALLOC, size), make(MALLOC, 100))]
    yield "more-than-four-gibibytes-at-once", [*held, on(FREE, 3), make(MALLOC, GIB), *drop_all(6)], False
    great = [
        make(f, size, alignment=1 << n)
        for n in (21, 22, 23, *range(24, 34, 3), 40, 47, 55, 62, 63)
        for f in (ALIGNED_ALLOC, POSIX_MEMALIGN, Function.MEMALIGN)
        for size in (1, 100, PAGE)
    ]
    yield "huge-alignments", [op for one in great for op in (one, on(FREE))], False


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
    yield (
        "impossible-sizes-aligned",
        [
            make(function, size, alignment=1 << n)
            for size in (PTRDIFF_MAX, PTRDIFF_MAX + 1, *(SIZE_MAX - less for less in (15, PAGE, 1 << 16, 1 << 21)))
            for n in (4, 9, 12, 13, 16, 20, 21)
            for function in (ALIGNED_ALLOC, POSIX_MEMALIGN, Function.MEMALIGN)
        ],
        False,
    )
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
    several: Plan = []
    for alignment in (64, 512, PAGE, 16 * KIB, 64 * KIB):
        for size in (8, 1000):
            for giving in (Function.FREE_SIZED, FREE):
                for function in (ALIGNED_ALLOC, POSIX_MEMALIGN):
                    several += [
                        *[make(function, size, alignment=alignment)] * 40,
                        *[on(giving, 39 - n) for n in range(40)],
                    ]
    yield "many-aligned-blocks", several, False
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
    edges = sorted(edge for edge in {*SMALL_EDGES, *EDGES} if 2 < edge <= 64 * KIB)
    down = [
        op
        for edge in edges
        for op in (make(MALLOC, 4 * edge), on(REALLOC, size=edge), make(MALLOC, edge), on(FREE, 1), on(FREE))
    ]
    yield "realloc-down-to-each-edge", down, False
    neighbours: Plan = []
    for size in [*FEW, 200_000, MIB]:
        for larger in (size + 1, size + size // 2, 2 * size):
            for freed in (1, 2):
                neighbours += [*[make(MALLOC, size)] * 4, on(FREE, freed), on(REALLOC, 1, size=larger)]
                neighbours += [*[make(MALLOC, size)] * 2, *drop_all(5)]
    yield "growing-beside-a-freed-block", neighbours, False
    elements = [
        op
        for size in (1, 8, 24, 100, 1000)
        for op in (
            make(MALLOC, 3 * size),
            *(on(Function.REALLOCARRAY, size=size, count=count) for count in (20, 7, 400, 2, 90)),
            on(FREE),
        )
    ]
    yield "reallocarray-of-several-elements", elements, False
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


def measuring(chance: random.Random) -> Named:
    """malloc_usable_size of a block asked again: by other threads, after a realloc, in a forked child."""
    again = [on(Function.USABLE_SIZE, block, thread) for block in (0, 1) for thread in (0, 1)]
    plan = [
        op
        for size in FEW
        for op in (
            make(MALLOC, size),
            make(ALIGNED_ALLOC, size, alignment=64),
            *again,
            on(REALLOC, 1, size=2 * size, thread=2),
            *again,
            on(REALLOC, size=size),
            *again,
        )
    ]
    in_child = [on(Function.USABLE_SIZE, block) for block in range(2 * len(FEW))]
    yield "usable-sizes-asked-again", [*plan, directive(Directive.FORK_CHILD), *in_child], False
