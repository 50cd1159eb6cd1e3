"""Size classes that suit one program: the exact optimum for what it was recorded to ask for, checked on the core.

You learn what can be known of a strategy without searching: how many bytes the default classes waste on this program,
how few a set of any other size would, and whether the core, given these classes, agrees.
Run it: python examples/tuned_classes.py
"""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import m4alloc
from m4alloc import Strategy
from m4alloc.trace.write import write
from m4alloc.tune.curves_classes import ClassRules, class_curve
from m4alloc.tune.curves_demand import Demand
from m4alloc.tune.workload import Workload, load


def program(arena: m4alloc.Arena) -> int:
    """A parser that makes nodes of three sizes and texts of any; returns the bytes of its blocks when it is busiest."""
    draw = random.Random(3)
    nodes = [arena.malloc(draw.choice((72, 136, 136, 264, draw.randrange(1, 400)))) for _ in range(4000)]
    live: int = arena.stats().live
    for node in nodes:
        arena.free(node)
    return live


def recorded() -> Workload:
    """The program's requests, written as a trace and read again."""
    with m4alloc.Arena(1 << 24) as arena, arena.record() as events:
        program(arena)
    with TemporaryDirectory() as folder:
        path = Path(folder, "parser.m4t")
        write(path, events)
        return load(path)[0]


def main() -> None:
    """The trace, the curve, the classes, and the core's own count."""
    work = recorded()
    print(work)
    demand = Demand.of(work)
    curve = class_curve(demand, rules=ClassRules())
    print("least waste with so many classes:", end="")
    for count in (4, 8, 16, 32):
        print(f"  {count}: {curve.share(count):.1%}", end="")
    print(f"\nthe default's {len(Strategy().classes)} classes waste {demand.share(Strategy().classes):.1%}")
    best = curve.classes(16)
    print(f"the best 16: {best}")
    for name, strategy in (("default", Strategy()), ("tuned", Strategy(classes=best))):
        with m4alloc.Arena(1 << 24, strategy) as arena:
            print(f"on the core, {name:8} {program(arena):>9,} bytes in live blocks at the peak")


if __name__ == "__main__":
    main()
