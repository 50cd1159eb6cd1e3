"""Measured time of two functions that are compiled side by side: what decides between candidates that models rank."""

from __future__ import annotations

import ctypes
import math
import multiprocessing
import platform
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function, Pointer, Void
from m4alloc.superopt.measure_code import same_code
from m4alloc.superopt.measure_loops import ROWS, UnmeasurableError, module_of
from m4alloc.superopt.toolchain import llvm, native, read
from m4alloc.superopt.vectors import run, test_vectors

ROUNDS = 31
REPEATS = 3
"""Runs of a loop in one round, of which the fastest counts."""
LOOP_NS = 200_000
"""How long one run of a loop is to take."""
BUFFER = 4096
"""Bytes that each pointer argument points into."""
EFFECT = 0.01
"""A difference of less than this part is none, however certain."""
LEAST_NS = 0.12
"""A function that takes less next to the empty loop is hidden behind it, on a core that runs several at once: what it
takes is not known, and counts as this."""
CLEAR_NS = 1.0
"""A function that takes more is told from one that is hidden."""
SAME = "both compile to the same machine code"
LEAST_ROUNDS = 6
"""With fewer the interval of the median has less than 95 %."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Nanoseconds a call, what the loop itself takes left out, and the ratio after / before in the same round.

    before, after: medians of all rounds; spread: half the distance of the quartiles, relative, the larger of both.
    low, high: the interval in which the median ratio lies with 95 % (order statistics).
    """

    before: float
    after: float
    ratio: float
    low: float
    high: float
    spread: float
    rounds: int

    @property
    def is_significant(self) -> bool:
        """The interval leaves out 1 by a hundredth, and the times are ones that can be told apart."""
        least, most = sorted((self.before, self.after))
        return (least > LEAST_NS or most > CLEAR_NS) and (self.high < 1.0 - EFFECT or self.low > 1.0 + EFFECT)

    @property
    def sentence(self) -> str:
        """The finding in words."""
        times = f"{self.before:.2f} -> {self.after:.2f} ns"
        if not self.is_significant:
            return f"{times}: no significant difference ({self.low:.2f} to {self.high:.2f} of the time)"
        word = "faster" if self.ratio < 1 else "slower"
        return f"{times}: {word}, {self.ratio:.2f} ({self.low:.2f} to {self.high:.2f}) of the time"


@dataclass(frozen=True, slots=True)
class Measurement:
    """Both loops.  latency: each call waits for the last one's result, None for functions without a result.
    throughput: calls do not wait.  reason: why there is no timing, "" where there is."""

    latency: Timing | None
    throughput: Timing | None
    reason: str = ""


def measured(
    before: Function, after: Function, facts: Sequence[Fact] = (), *, rounds: int = ROUNDS, seconds: float = 20.0,
    seed: int = 0,
) -> Measurement:  # fmt: skip
    """Time two functions of one signature on inputs that satisfy the facts and on which the first is defined.

    Machine code for this processor, run in a process of its own: what it does there cannot hurt here.  In each round
    the empty loop and both functions are run in random order.  Pointers point to 4 KiB of random bytes each.
    rounds: 6 at least.  seconds: after which the process is given up.
    Raises ValueError for fewer rounds.  Cost: some 2 s to start, and about 10 ms a round.
    """
    if rounds < LEAST_ROUNDS:
        raise ValueError(f"{rounds} rounds: {LEAST_ROUNDS} at least, for with fewer nothing can be told from chance")
    try:
        text = module_of([("before", before), ("after", after)])
        table = _inputs(before, facts, seed)
    except UnmeasurableError as error:
        return Measurement(None, None, str(error))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    pointers = [isinstance(argument.type, Pointer) for argument in before.arguments]
    kinds = ("throughput",) if isinstance(before.type, Void) else ("latency", "throughput")
    process = context.Process(target=_work, args=(theirs, text, table, pointers, kinds, rounds, seed), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            return Measurement(None, None, f"the functions did not end within {seconds:g} s")
        found: dict[str, Timing] | str = ours.recv()
    except EOFError:
        process.join(1.0)
        return Measurement(None, None, f"the process that ran the functions ended with {process.exitcode}")
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(found, str):
        return Measurement(None, None, found)
    return Measurement(found.get("latency"), found["throughput"])


def _inputs(function: Function, facts: Sequence[Fact], seed: int) -> list[list[int]]:
    """A table of inputs, over and over where there are few; words for pointers are replaced in the process."""
    tests = test_vectors(function, facts, ROWS, seed)
    if tests is None:
        raise UnmeasurableError(f"no input of @{function.name} satisfies the facts")
    fine = np.ones(tests.count, np.bool_)
    for lanes in tests.inputs:
        if lanes.poison is not None:
            fine &= ~lanes.poison
    results = run(function, tests)
    if results is not None:
        fine &= ~results.ub
    if not fine.any():
        raise UnmeasurableError(f"@{function.name} is undefined on every input tried")
    columns = [lanes.value[fine].tolist() for lanes in tests.inputs]
    rows = [list(row) for row in zip(*columns, strict=True)] if columns else [[]]
    return [rows[place % len(rows)] for place in range(ROWS)]


def _work(
    connection: Connection, text: str, table: list[list[int]], pointers: Sequence[bool], kinds: Sequence[str],
    rounds: int, seed: int,
) -> None:  # fmt: skip
    try:
        text = inlined(text)
        if same_code(text, kinds):
            connection.send(SAME)
            return
        align_loops()
        connection.send(timed(text, table, pointers, kinds, rounds, seed))
    except ValueError as error:
        connection.send(str(error))


def timed(
    text: str, table: list[list[int]], pointers: Sequence[bool], kinds: Sequence[str], rounds: int, seed: int
) -> dict[str, Timing]:
    """Compile and time in this process, which the code may end if it is undefined on some input; text: inlined."""
    rng = random.Random(seed)
    engine = native(text, 3)
    buffers = [ctypes.create_string_buffer(rng.randbytes(2 * BUFFER), 2 * BUFFER) for _ in pointers]
    words: list[int] = []
    for row in table:
        for place, word in enumerate(row):
            aligned = -(-ctypes.addressof(buffers[place]) // BUFFER) * BUFFER
            words.append(aligned if pointers[place] else word)
    array = (ctypes.c_uint64 * max(1, len(words)))(*words)
    found = {}
    for kind in kinds:
        loops = {name: _callable(engine, f"{kind}_{name}") for name in ("empty", "before", "after")}
        found[kind] = timing(_rounds(loops, array, rounds, rng))
    return found


def inlined(text: str) -> str:
    """The text after LLVM's inlining of what must be inlined, and nothing else.

    >>> "call" in inlined("define i8 @f() alwaysinline { ret i8 1 } define i8 @g() { %a = call i8 @f() ret i8 %a }")
    False
    """
    binding = llvm()
    module = read(text)
    machine = binding.Target.from_default_triple().create_target_machine()
    passes = binding.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.run(module, binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(0)))
    return str(module)


def align_loops() -> None:
    """Inner loops begin at multiples of 64 bytes from now on in this process, so that none is slower for its place.

    Once in a process; nothing but for x86, whose code generator alone has the option.
    """
    if platform.machine().lower() in ("x86_64", "amd64"):
        llvm().set_option("m4alloc", "--x86-experimental-pref-innermost-loop-alignment=6")


def _callable(engine: Any, name: str) -> Any:
    return engine.callable(name, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)


def _rounds(loops: dict[str, Any], array: Any, rounds: int, rng: random.Random) -> list[dict[str, float]]:
    """Nanoseconds a turn of each loop in every round."""
    count = ROWS
    while _run(loops["before"], array, count) * count < LOOP_NS and count < 1 << 24:
        count *= 2
    found = []
    for _ in range(rounds):
        order = list(loops)
        rng.shuffle(order)
        found.append({name: min(_run(loops[name], array, count) for _ in range(REPEATS)) for name in order})
    return found


def _run(loop: Any, array: Any, count: int) -> float:
    began = time.perf_counter_ns()
    loop(array, count, 0)
    return (time.perf_counter_ns() - began) / count


def timing(rounds: Sequence[dict[str, float]]) -> Timing:
    """What rounds of {"empty", "before", "after"} nanoseconds come to.

    A function that is hidden behind the empty loop counts as LEAST_NS.


    >>> timing([{"empty": 1.0, "before": 3.0, "after": 2.0}] * 6).ratio
    0.5
    """
    before = [max(LEAST_NS, one["before"] - one["empty"]) for one in rounds]
    after = [max(LEAST_NS, one["after"] - one["empty"]) for one in rounds]
    ratios = sorted(a / b for a, b in zip(after, before, strict=True))
    low, high = interval(len(ratios))
    spread = max(_spread(before), _spread(after))
    return Timing(
        statistics.median(before), statistics.median(after), statistics.median(ratios), ratios[low], ratios[high],
        spread, len(rounds),
    )  # fmt: skip


def _spread(values: Sequence[float]) -> float:
    first, middle, last = statistics.quantiles(values, n=4, method="inclusive")
    return (last - first) / 2 / middle


def interval(count: int, confidence: float = 0.95) -> tuple[int, int]:
    """Places of the sorted values between which the median lies with the confidence, by the binomial distribution.

    >>> interval(6), interval(31)
    ((0, 5), (9, 21))
    """
    tail = 0.0
    low = 0
    for place in range(count // 2):
        tail += math.comb(count, place) / 2**count
        if 2 * tail > 1 - confidence:
            break
        low = place
    return low, count - 1 - low
