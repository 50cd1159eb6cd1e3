"""Two functions compared by running their machine code on every input: a refuter that needs no solver."""

from __future__ import annotations

import atexit
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from m4alloc.superopt import vectors
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.interpret_facts import holds, names
from m4alloc.superopt.ir import Argument, Function, Int
from m4alloc.superopt.native_worker import receive, send
from m4alloc.superopt.printer import print_function
from m4alloc.superopt.vectors_ops import Lanes
from m4alloc.superopt.verdict import Counterexample

BITS = 16
"""Of all arguments together, at most: 65,536 inputs."""


class NativeError(RuntimeError):
    """The child process could not compile what it was given; the message is LLVM's."""


def supported(function: Function) -> bool:
    """The function can be run on all of its inputs: integers of at most 16 bits together, an integer result."""
    if not isinstance(function.type, Int) or function.type.width > 64 or function.is_opaque:
        return False
    return all(isinstance(a.type, Int) for a in function.arguments) and sum(_widths(function.arguments)) <= BITS


def refute(
    source: Function, target: Function, facts: Sequence[Fact] = (), seconds: float = 2.0
) -> Counterexample | None:
    """An input on which the compiled target gives what the source may not; None where none was found.

    Every input is tried on which the source is neither poison nor UB and the facts hold; poison and undef are not
    given.  What native code cannot show, a target that is poison or UB there, is taken from `vectors`; a crash counts.
    None too where a function is not `supported`, the source has loops, memory or undef, or time runs out: it is a
    refuter and proves nothing.
    Errors: FactError; NativeError.  Cost: 5 to 10 ms; the first call starts a process, 0.5 s.
    """
    return compared(source, target, facts, seconds)[0]


def compared(
    source: Function, target: Function, facts: Sequence[Fact] = (), seconds: float = 2.0
) -> tuple[Counterexample | None, int]:
    """What `refute` finds, and on how many inputs both were run in vain: 0 where it finds nothing because it covers
    the pair on no input, or time ran out.  Arguments, errors and cost are those of `refute`."""
    if not (supported(source) and supported(target)) or len(source.arguments) != len(target.arguments):
        return None, 0
    inputs = _every(_widths(source.arguments))
    expected = vectors.run(source, inputs)
    if expected is None:
        return None, 0
    usable = ~(expected.ub | expected.vague | expected.poison.any(0)) & _facts_hold(source.arguments, tuple(facts))
    given = vectors.run(target, inputs)
    if given is not None:
        for lost, what in ((given.ub, "undefined behaviour"), (given.poison.any(0) & ~given.vague, "poison")):
            wrong = usable & lost
            if wrong.any():
                run = int(wrong.argmax())
                return _shown(source, run, str(int(expected.value[0][run])), what), 0
        usable = usable & ~given.ub
    if not usable.any():
        return None, 0
    text, wanted = module(source, target), usable.astype(np.uint8).tobytes()
    answer = _worker.ask(text, wanted, seconds)
    if isinstance(answer, tuple) and answer[0] == _CRASHED:  # once more, in case something else ended the process
        answer = _worker.ask(text, wanted, seconds)
    if answer is None:
        return None, 0
    if isinstance(answer, str):
        raise NativeError(answer)
    run, theirs, ours = answer
    if run == _CRASHED:
        return _crashed(source, usable), 0
    return (None, int(usable.sum())) if run < 0 else (_shown(source, run, str(theirs), str(ours)), 0)


def agree_everywhere(source: Function, target: Function, facts: Sequence[Fact] = (), seconds: float = 10.0) -> bool:
    """`refute` finds nothing although it covers both functions.

    Errors: ValueError where they are not covered, or time runs out, so that silence would mean nothing.
    """
    for function in (source, target):
        if not supported(function) or vectors.run(function, _every(_widths(function.arguments))) is None:
            raise ValueError(f"{function.name} cannot be run on all of its inputs")
    found, count = compared(source, target, facts, seconds)
    if found is None and not count:
        raise ValueError(f"{target.name} was compared on no input: the time was up, or the source defines nothing")
    return found is None


def module(source: Function, target: Function) -> str:
    """Both functions with a loop over all inputs, as LLVM's text.

    `drive(mask, count, results)` runs those inputs whose byte in `mask` is not 0, and returns the number of the first
    one on which the results differ, which it stores, or -1.
    """
    parts = [print_function(replace(source, name="source")), print_function(replace(target, name="target"))]
    declarations = sorted({line for part in parts for line in part.splitlines() if line.startswith("declare")})
    bodies = ["\n".join(line for line in part.splitlines() if not line.startswith("declare")) for part in parts]
    unpack, arguments, low = [], [], 0
    for number, width in enumerate(_widths(source.arguments)):
        unpack.append(f"  %s{number} = lshr i64 %i, {low}")
        unpack.append(f"  %a{number} = trunc i64 %s{number} to i{width}")
        arguments.append(f"i{width} %a{number}")
        low += width
    type, call = str(source.type), ", ".join(arguments)
    widen = "bitcast" if type == "i64" else "zext"
    unpacked = "\n".join(unpack)
    driver = f"""
define i64 @drive(ptr %mask, i64 %count, ptr %results) {{
start:
  br label %test
test:
  %i = phi i64 [ 0, %start ], [ %next, %on ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %look, label %none
look:
  %place = getelementptr i8, ptr %mask, i64 %i
  %wanted = load i8, ptr %place
  %skip = icmp eq i8 %wanted, 0
  br i1 %skip, label %on, label %run
run:
{unpacked}
  %theirs = call {type} @source({call})
  %ours = call {type} @target({call})
  %same = icmp eq {type} %theirs, %ours
  br i1 %same, label %on, label %found
on:
  %next = add i64 %i, 1
  br label %test
found:
  %first = {widen} {type} %theirs to i64
  %second = {widen} {type} %ours to i64
  store i64 %first, ptr %results
  %behind = getelementptr i64, ptr %results, i64 1
  store i64 %second, ptr %behind
  ret i64 %i
none:
  ret i64 -1
}}
"""
    return "\n".join([*declarations, *bodies, driver])


def _widths(arguments: Sequence[Argument]) -> tuple[int, ...]:
    return tuple(argument.type.width for argument in arguments if isinstance(argument.type, Int))


@lru_cache(maxsize=16)
def _every(widths: tuple[int, ...]) -> vectors.Vectors:
    """All inputs, numbered with the first argument lowest."""
    numbers = np.arange(1 << sum(widths), dtype=np.uint64)
    lanes, low = [], 0
    for width in widths:
        lanes.append(Lanes((numbers >> np.uint64(low)) & np.uint64((1 << width) - 1)))
        low += width
    return vectors.Vectors(tuple(lanes), len(numbers))


@lru_cache(maxsize=16)
def _facts_hold(arguments: tuple[Argument, ...], facts: tuple[Fact, ...]) -> npt.NDArray[np.bool_]:
    """On which of all inputs the facts hold."""
    widths = _widths(arguments)
    count = 1 << sum(widths)
    if not facts:
        return np.ones(count, np.bool_)
    by_name = {argument.name: width for argument, width in zip(arguments, widths, strict=True)}
    for fact in facts:
        names(fact)
    rows = (dict(zip(by_name, _values(widths, number), strict=True)) for number in range(count))
    return np.fromiter((holds(facts, row, by_name) for row in rows), np.bool_, count)


def _values(widths: Sequence[int], number: int) -> list[int]:
    """The arguments of one input."""
    values = []
    for width in widths:
        values.append(number & ((1 << width) - 1))
        number >>= width
    return values


def _shown(source: Function, run: int, theirs: str, ours: str) -> Counterexample:
    values = _values(_widths(source.arguments), run)
    pairs = zip(source.arguments, values, strict=True)
    return Counterexample(tuple((argument.name, str(value)) for argument, value in pairs), theirs, ours)


def _crashed(source: Function, usable: npt.NDArray[np.bool_]) -> Counterexample:
    """Which input it was is not known; the first is not claimed to be it."""
    return Counterexample((("inputs", f"one of {int(usable.sum())}"),), "a result", "a crash of the process")


_CRASHED = -2


class _Worker:
    """The child process, started when it is first needed and again after it died."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.owner = 0

    def _started(self) -> subprocess.Popen[bytes]:
        # A fork of this process must not share the pipe with it.
        if self.process is None or self.process.poll() is not None or self.owner != os.getpid():
            self.owner = os.getpid()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "m4alloc.superopt.native_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self.process

    def ask(self, text: str, mask: bytes, seconds: float) -> tuple[int, int, int] | str | None:
        """The child's answer; the number `_CRASHED` where it died, None where time ran out."""
        is_new = self.process is None
        child = self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            send(child.stdin, (text, mask))
            deadline = time.monotonic() + seconds + (10.0 if is_new else 0.0)
            ready, _, _ = select.select([child.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self.close()
                return None
            answer: tuple[int, int, int] | str = receive(child.stdout)
        except (EOFError, BrokenPipeError):
            self.close()
            return _CRASHED, 0, 0
        return answer

    def close(self) -> None:
        """End the child."""
        if self.process is not None and self.owner == os.getpid():
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    stream.close()
            self.process.kill()
            self.process.wait()
        self.process = None


_worker = _Worker()
atexit.register(_worker.close)
