"""How much `m4alloc check` tries a second: nodes of the exhaustive search, checked operations of the random one.

    python benchmarks/check_rate.py [--library PATH] [--seconds 10] [--depth 4] [--json FILE]

A node is one request on a heap of its own: a fork, the call, what is looked at, and its judgement. Rows stand side by
side in one run: the driver alone and with its judge; one driver and two; the compiled judge and the readable one.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from m4alloc.bench.peer import machine
from m4alloc.check import accept
from m4alloc.check.alphabet import usual
from m4alloc.check.board import EXPLORATION
from m4alloc.check.campaign import EXHAUSTIVE, RANDOM, Campaign
from m4alloc.check.foreign import Foreign
from m4alloc.check.judgement import Terms
from m4alloc.view.quantity import number
from m4alloc.view.text import table

TERMS = Terms("c17,glibc", without=frozenset({"aligned-alloc-arguments"}))
"""What glibc is held to; before 2.38 its aligned_alloc takes any alignment."""


def forks(count: int = 500) -> float:
    """Forks of this Python process a second, each waited for: what a driver written in Python would pay."""
    start = time.perf_counter()
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return count / (time.perf_counter() - start)


def driver_alone(start: Callable[[], Foreign], depth: int) -> float:
    """Nodes a second that the driver visits when nobody judges them."""
    with start() as foreign:
        alphabet = usual(foreign.functions)
        packed = EXPLORATION.pack(
            depth, alphabet.slots, len(alphabet.makers), len(alphabet.resizers), 0, 2000, *[0] * 32
        )
        with foreign.begin() as session:
            foreign.board.ask(alphabet.instructions())
            began = time.perf_counter()
            session.exchange(b"E" + packed, lambda _: True, patience=True)
            return foreign.board.nodes / (time.perf_counter() - began)


def engine(start: Callable[[], Foreign], which: str, seconds: float, jobs: int) -> float:
    """Nodes, or checked operations, a second of one engine; in twice the time while nothing is done in `seconds`."""
    with start() as foreign:
        alphabet = usual(foreign.functions)
    while True:
        campaign = Campaign(start, TERMS, alphabet, seconds, jobs, engines=(which,))
        began = time.perf_counter()
        campaign.run()
        if done := campaign.done.operations.get(which, 0):
            return done / (time.perf_counter() - began)
        seconds *= 2


def readable(work: Callable[[], float]) -> float:
    """The same with the readable judge in place of the compiled one."""
    compiled, accept.COMPILED = accept.COMPILED, False
    try:
        return work()
    finally:
        accept.COMPILED = compiled


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", default="system", help="the allocator that is driven (default: system)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement (default 10)")
    parser.add_argument("--depth", type=int, default=4, help="of the driver's walk without a judge (default 4)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args(argv)
    start = partial(Foreign, arguments.library)
    seconds = arguments.seconds
    figures = {
        "forks of a Python process": forks(),
        "nodes, driver alone": driver_alone(start, arguments.depth),
        "nodes, judged, 1 driver": engine(start, EXHAUSTIVE, seconds, 1),
        "nodes, judged, 2 drivers": engine(start, EXHAUSTIVE, seconds, 2),
        "operations of random rounds, 1 driver": engine(start, RANDOM, seconds, 1),
        "operations of random rounds, 2 drivers": engine(start, RANDOM, seconds, 2),
        "operations, readable judge, 1 driver": readable(partial(engine, start, RANDOM, seconds, 1)),
    }
    print(", ".join(str(value) for value in machine().values()))
    rows = [[name, number(round(rate))] for name, rate in figures.items()]
    print("\n".join(table(rows, ["what", "a second"], right=[1])))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
