"""Directed plans about a heap in its world: many blocks and requests, threads, forks, memory that runs out."""

from __future__ import annotations

import random
from collections.abc import Sequence

from m4alloc.check.edges import PAGE
from m4alloc.check.judgement import LIFTED
from m4alloc.check.operation import Directive, directive
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


def many(chance: random.Random) -> Named:
    """Many blocks at once, freed in every order, and large ones."""
    for size, count in (
        (16, 70_000),
        (48, 20_000),
        (100, 9_000),
        (256, 6_000),
        (1000, 3_000),
        (4096, 1_200),
        (20_000, 300),
    ):
        order = [on(FREE, chance.randrange(1 << 20)) for _ in range(count // 2)]
        plan = [
            *[make(MALLOC, size)] * count,
            *order,
            *[make(MALLOC, size)] * (count // 2),
            *drop_all(count if count < 10_000 else 2_000),
        ]
        yield f"{count}-blocks-of-{size}", plan, False
    mixed: Plan = []
    for _ in range(6000):
        mixed.append(make(chance.choice((MALLOC, MALLOC, CALLOC)), chance.choice(FEW[:14])))
        if chance.random() < 0.6:
            mixed.append(on(FREE, chance.randrange(1 << 20)))
    yield "mixed-sizes-in-random-order", mixed, False
    large = [s + d for s in (256 * KIB, MIB, 2 * MIB, 4 * MIB, 20 * MIB) for d in (-PAGE, -1, 0, 1, PAGE)]
    plan = [
        op
        for size in large
        for op in (
            make(MALLOC, size),
            on(FREE),
            make(CALLOC, size),
            make(MALLOC, 100),
            on(REALLOC, 1, size=size + size // 3),
            on(REALLOC, size=size // 2),
            on(FREE),
            on(FREE),
        )
    ]
    yield "large-blocks", plan, False
    held = [op for size in large[:15] for op in (make(MALLOC, size), make(CALLOC, size))]
    yield (
        "large-blocks-at-once",
        [*held, *drop_all(len(held), oldest_first=True), *held[::2], *drop_all(len(held[::2]))],
        False,
    )


def turns(chance: random.Random) -> Named:
    """Several threads, one at a time: blocks change hands, threads end."""
    for size in (16, 100, 1000, 5000, 40_000, 300_000):
        count = 64 if size > 4096 else 400
        plan: Plan = [make(MALLOC, size, 1 + n % 2) for n in range(count)]
        plan += [on(FREE, chance.randrange(1 << 20), thread=n % 4) for n in range(count)]
        plan += [make(CALLOC if n % 3 else MALLOC, size, n % 4) for n in range(count)]
        plan += [on(FREE, chance.randrange(1 << 20), thread=(n + 1) % 4) for n in range(count // 2)]
        plan += [directive(Directive.THREAD_END, thread=1), directive(Directive.THREAD_END, thread=2)]
        plan += [make(MALLOC, size, n % 3) for n in range(count)]
        plan += [on(REALLOC, chance.randrange(1 << 20), n % 3, size=size + size // 2) for n in range(40)]
        plan += [directive(Directive.THREAD_END, thread=2), *[on(FREE, n * 7, thread=n % 3) for n in range(count)]]
        yield f"threads-by-turns-{size}", plan, False
    ending: Plan = []
    for _ in range(60):
        ending += [*[make(MALLOC, chance.choice(FEW[:12]), 1) for _ in range(12)], *[on(FREE, k, 1) for k in range(6)]]
        ending += [
            directive(Directive.THREAD_END, thread=1),
            *[make(MALLOC, chance.choice(FEW[:12])) for _ in range(6)],
        ]
        ending += [on(FREE, chance.randrange(1 << 20)) for _ in range(10)]
    yield "threads-that-end", ending, False
    one = [
        make(MALLOC, 40, 1),
        make(MALLOC, 100, 1),
        on(FREE, 0, 1),
        directive(Directive.THREAD_END, thread=1),
        on(FREE),
    ]
    again = [directive(Directive.REPEAT, 300), *one, directive(Directive.END_REPEAT)]
    yield "three-hundred-threads", [make(MALLOC, 40, 2), *again, make(MALLOC, 40, 2), make(MALLOC, 40, 1)], False
    alive = [make(MALLOC, chance.choice(FEW[:10]), n % 60) for n in range(240)]
    yield "sixty-threads-by-turns", [*alive, *[on(FREE, 7 * n, 59 - n % 60) for n in range(200)], *alive], False
    leaving: Plan = []
    for size in FEW[:16]:
        leaving += [*[make(MALLOC, size, 1)] * 4, *[on(FREE, 1, 1)] * 2, directive(Directive.THREAD_LEAVES, thread=1)]
        leaving += [*[make(MALLOC, size, 1)] * 3, on(FREE, 4, 1), on(FREE, 1, 1), make(CALLOC, size, 1)]
        leaving += [on(REALLOC, 0, 1, size=3 * size), directive(Directive.THREAD_END, thread=1)]
        # One that asks for memory only when it leaves; and what the two had is used by others.
        leaving += [directive(Directive.THREAD_LEAVES, thread=2), make(MALLOC, size, 2), on(FREE, 1, 2)]
        leaving += [directive(Directive.THREAD_END, thread=2), *[make(MALLOC, size, n % 3) for n in range(6)]]
        leaving += drop_all(9)
    yield "threads-that-leave", leaving, False


def parallel(chance: random.Random) -> Named:
    """Threads at the same time: on the same sizes, handing blocks to one another, resizing, with every function."""
    kinds: dict[str, tuple[Sequence[int], Sequence[Function], float]] = {
        "of-one-size": ((16,), (MALLOC,), 0.0),
        "of-two-sizes": ((32, 64), (MALLOC, MALLOC, CALLOC), 0.05),
        "that-resize": ((24, 200, 1000), (MALLOC, MALLOC, CALLOC), 0.4),
        "of-many-sizes": (FEW[:16], (MALLOC, CALLOC), 0.1),
        "with-every-function": ((40, 4000), (MALLOC, CALLOC, ALIGNED_ALLOC, POSIX_MEMALIGN, Function.MEMALIGN), 0.1),
        "with-large-blocks": ((100_000, 300_000), (MALLOC, CALLOC), 0.1),
    }
    for name, (sizes, makers, resizing) in kinds.items():
        for handing in (False, True):
            plan: Plan = [directive(Directive.PARALLEL)]
            for n in range(600 if max(sizes) > 65_536 else 8000):
                thread, kind = n % 4, chance.random()
                # The youngest blocks but three are mostly the thread's own: four threads take turns in the plan.
                block = chance.randrange(8) if handing else 4 * chance.randrange(4) + 3
                if kind < 0.5:
                    function = chance.choice(makers)
                    alignment = 64 if function not in (MALLOC, CALLOC) else 0
                    plan.append(make(function, chance.choice(sizes), thread, alignment=alignment))
                elif kind < 1 - resizing / 2:
                    plan.append(on(FREE, block, thread))
                else:
                    plan.append(on(REALLOC, block, thread, size=chance.choice(sizes)))
            rest = [make(MALLOC, size) for size in sizes] * 30
            word = "handing-over" if handing else "keeping"
            yield f"threads-at-once-{name}-{word}", [*plan, directive(Directive.JOIN), *rest], False


def crowds(chance: random.Random) -> Named:
    """More threads at the same time than there are processors, or caches of some allocators."""
    for threads in (3, 20):
        plan: Plan = [directive(Directive.PARALLEL)]
        for n in range(12_000):
            own = threads * chance.randrange(3) + threads - 1
            plan.append(make(MALLOC, 16, n % threads) if chance.random() < 0.5 else on(FREE, own, n % threads))
        yield f"{threads}-threads-at-once", [*plan, directive(Directive.JOIN), *[make(MALLOC, 16)] * 60], False


def forks(chance: random.Random) -> Named:
    """A fork between calls, and one in the middle of other threads' calls."""
    life = [*[make(MALLOC, size) for size in FEW], *[make(CALLOC, size) for size in FEW]]
    use = [
        *[on(FREE, n * 3) for n in range(20)],
        *[make(MALLOC, size) for size in FEW],
        *[on(REALLOC, n, size=777) for n in range(9)],
        *drop_all(30),
    ]
    for which in (Directive.FORK_CHILD, Directive.FORK_PARENT):
        yield f"{which.label}-between-calls", [*life, directive(which), *use, *life, *use], False
        yield (
            f"{which.label}-with-threads",
            [
                *life,
                *[make(MALLOC, 100, n % 3) for n in range(60)],
                directive(which),
                *use,
                *[make(MALLOC, 100, n % 3) for n in range(60)],
                *use,
            ],
            False,
        )
    twice = [directive(Directive.FORK_CHILD), *use, *life] * 2 + [directive(Directive.FORK_PARENT), *use]
    yield "forks-in-children", [*life, *twice, directive(Directive.FORK_CHILD), *life], False
    other = [op for size in FEW[:10] for op in (make(MALLOC, size, 2), make(MALLOC, size, 2), on(FREE, 1, 2))]
    yield (
        "a-fork-by-another-thread",
        [
            *[make(MALLOC, size, thread) for thread in (0, 1, 3) for size in FEW[:10]],
            directive(Directive.PARALLEL),
            *other,
            directive(Directive.FORK_CHILD, thread=2),
            *[op for one in other for op in (one, one)],
            directive(Directive.JOIN),
            *[make(MALLOC, size) for size in FEW[:10]],
        ],
        False,
    )
    for attempt in range(8):
        sizes = (16,) if attempt % 2 else FEW[:8]
        plan = [make(MALLOC, chance.choice(FEW[:10])) for _ in range(50)] + [directive(Directive.PARALLEL)]
        for n in range(12_000):
            # Three threads are busy, the fourth forks, and each child asks for memory. Where the three have blocks of
            # their own they never wait for one another; where they have not, blocks are on their way at the fork.
            thread = 1 + n % 3
            if attempt < 4:
                plan += [make(MALLOC, chance.choice(sizes), thread), on(FREE, 0, thread)]
            else:
                own = 3 * chance.randrange(3) + 2
                kind = chance.random() < 0.5
                plan.append(make(MALLOC, chance.choice(sizes), thread) if kind else on(FREE, own, thread))
            if n % 400 == 50:
                plan.append(directive(Directive.FORK_CHILD))
                plan += [op for size in (*sizes, 24, 5000) for op in (make(MALLOC, size), on(FREE))]
        yield f"forks-in-the-middle-{attempt + 1}", [*plan, directive(Directive.JOIN), make(MALLOC, 24)], False


def pauses(chance: random.Random) -> Named:
    """Memory that is given back to the system after a while: what is live stays, what comes back is whole."""
    for wait, times in ((30, 4), (1200, 2)):
        plan: Plan = []
        for size in (24, 1000, 5000, 20_000, 70_000, 300_000):
            plan += [*[make(MALLOC, size)] * 40, *[on(FREE, n) for n in range(30)]]
        for _ in range(times):
            plan.append(directive(Directive.PAUSE, wait))
            for size in (24, 1000, 5000, 70_000, 300_000):
                plan += [make(MALLOC, size), make(CALLOC, size), on(FREE, 9), on(REALLOC, 7, size=2 * size), on(FREE)]
        yield f"pauses-of-{wait}-milliseconds", plan, False


def exhaustion(chance: random.Random) -> Named:
    """Memory runs out: requests fail as they should, and what is held stays whole."""
    for size, room, count in (
        (100, 2 * MIB, 40_000),
        (5000, 8 * MIB, 3000),
        (70_000, 16 * MIB, 400),
        (MIB, 16 * MIB, 30),
    ):
        plan = [*[make(MALLOC, size)] * 20, directive(Directive.LIMIT_MEMORY, room), *[make(MALLOC, size)] * count]
        plan += [
            make(CALLOC, size),
            make(ALIGNED_ALLOC, size, alignment=256),
            make(POSIX_MEMALIGN, size, alignment=PAGE),
        ]
        plan += [on(REALLOC, n, size=size * 40) for n in range(8)] + [
            make(REALLOC, size * 60),
            make(Function.NEW, size * 60),
        ]
        plan += [
            make(MALLOC, 8 * room),
            make(CALLOC, 8 * room),
            make(ALIGNED_ALLOC, 8 * room, alignment=64),
            make(POSIX_MEMALIGN, 8 * room, alignment=64),
        ]
        plan += [on(REALLOC, n, size=8 * room) for n in range(4)] + [on(Function.REALLOCARRAY, size=room, count=8)]
        plan += [on(FREE, n * 5) for n in range(60)] + [make(MALLOC, size // 2)] * 60 + [on(FREE, n) for n in range(40)]
        yield f"out-of-memory-with-blocks-of-{size}", plan, False
    asked = [make(MALLOC, size) for size in (24, 5000, 100_000, 500_000)]
    asked += [make(CALLOC, 20_000), make(ALIGNED_ALLOC, 3000, alignment=PAGE), make(MALLOC, 5000, 1)]
    plan = [*[make(MALLOC, 5000)] * 20, directive(Directive.LIMIT_MEMORY, 2 * MIB), *[make(MALLOC, 5000)] * 1200]
    plan += [*[make(MALLOC, size) for size in (100, 30_000, 400_000)] * 30, directive(Directive.LIMIT_MEMORY, LIFTED)]
    yield "memory-comes-back", [*plan, *asked * 8, *drop_all(400), *asked], False
    for size in (24, 20_481, 300_000):
        # Threads that begin, and end, when nothing is left; their stacks are those of threads before them.
        ends = [directive(Directive.THREAD_END, thread=thread) for thread in (1, 2, 3, 4)]
        plan = [*[make(MALLOC, 100, thread) for thread in (1, 2, 3, 4)], *ends, directive(Directive.LIMIT_MEMORY, MIB)]
        plan += [make(MALLOC, size)] * (60_000 if size == 24 else 120)
        plan += [make(MALLOC, asked, thread) for thread in (1, 2, 3, 4) for asked in (0, 16, size)]
        plan += [*[on(FREE, n, 1 + n % 4) for n in range(20)], *ends, make(MALLOC, 16, 1), make(MALLOC, size)]
        yield f"threads-begin-out-of-memory-with-blocks-of-{size}", plan, False


def usage(chance: random.Random) -> Named:
    """Plans that free all they take: over and over they must not use ever more memory."""
    for size in [*EVERY_SMALL[15:256:16], *(edge for edge in EDGES if edge > 256 and edge % 8 == 0), 200_000, MIB]:
        count = max(2, min(8, MIB // size))
        yield f"reuse-of-{size}", [*[make(MALLOC, size)] * count, *drop_all(count)], True
    for size in (100, 3000, 40_000, 300_000):
        yield f"reuse-after-realloc-to-nothing-of-{size}", [make(MALLOC, size), on(REALLOC, size=0)], True
        # A small block behind it, so that it has to move; what moves is half of all that is handed out.
        resized = [make(MALLOC, size), make(MALLOC, 16), on(REALLOC, 1, size=size + size // 8), *drop_all(2)]
        yield f"reuse-after-realloc-of-{size}", resized, True
        # What is freed at the end may serve the next round and let it grow in place: one that shrinks far has to move.
        yield f"reuse-after-shrinking-of-{size}", [make(MALLOC, size), on(REALLOC, size=16), on(FREE)], True
        yield f"reuse-after-calloc-of-{size}", [make(CALLOC, size), make(CALLOC, size), *drop_all(2)], True
    for size in (20_000, 70_000):  # of smaller ones the handing over takes longer than the calls
        count = MIB // size
        yield f"reuse-of-{size}-across-threads", [*[make(MALLOC, size, 1)] * count, *drop_all(count, thread=2)], True
    for alignment in (64, 512, 4096, 16_384):
        each = [make(function, 3000, alignment=alignment) for function in (ALIGNED_ALLOC, POSIX_MEMALIGN)]
        yield f"reuse-of-blocks-aligned-to-{alignment}", [*each, *drop_all(2)], True
    ended = [*[make(MALLOC, 4000, 1)] * 20, directive(Directive.THREAD_END, thread=1), *drop_all(20)]
    yield "reuse-of-what-an-ended-thread-had", ended, True
    sized = [op for size in FEW[4:] for op in (make(MALLOC, size), on(Function.FREE_SIZED))]
    yield "reuse-of-sized-frees", sized, True


def long(chance: random.Random) -> Named:
    """More than a million blocks handed out by one heap, beside some that stay."""
    held = [make(MALLOC, size) for size in (16, 40, 16)]
    body = [make(MALLOC, 16), make(MALLOC, 40), on(FREE, 1), make(MALLOC, 16), make(MALLOC, 100), *drop_all(3)]
    again = [directive(Directive.REPEAT, 270_000), *body, directive(Directive.END_REPEAT)]
    yield "a-million-blocks", [*held, *again, *held, *body], False
    other = [make(CALLOC, 40), on(REALLOC, size=90), make(ALIGNED_ALLOC, 24, alignment=64), *drop_all(2)]
    again = [directive(Directive.REPEAT, 70_000), *other, directive(Directive.END_REPEAT)]
    yield "other-blocks-over-and-over", [*held, *again, *held, *other], False
    large = [directive(Directive.REPEAT, 66_000), make(MALLOC, 33_000), on(FREE), directive(Directive.END_REPEAT)]
    yield "large-blocks-over-and-over", [make(MALLOC, 33_000), *large, *[make(MALLOC, 33_000)] * 2], False
