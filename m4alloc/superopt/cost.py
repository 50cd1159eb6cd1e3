"""What a function costs on a target: IR instructions, instructions of the emitted assembly, latency of its chain."""

from __future__ import annotations

from functools import lru_cache

from m4alloc.superopt.cost_latency import latency
from m4alloc.superopt.ir import Function, canonical
from m4alloc.superopt.printer import print_function
from m4alloc.superopt.problem import OBJECTIVES, TARGETS, Cost
from m4alloc.superopt.toolchain import assembly, instruction_count, not_emitted


def cost(function: Function, target: str = "x86-64", objective: str = "ir", *, emit: bool = True) -> Cost:
    """The cost of the function, which compares by the objective first, then by IR, assembly and latency.

    emit: whether assembly is emitted where the objective does not need it; -1 stands for its instructions otherwise.
    latency: computed where it is the objective, 0.0 otherwise.
    Raises ValueError for an unknown target or objective, and what `printer` and `toolchain` raise on a function that
    LLVM does not accept.  Cost: 2 to 4 ms where assembly is emitted; functions equal but for names are looked up.
    """
    if target not in TARGETS:
        raise ValueError(f"no target {target!r}: one of {', '.join(TARGETS)}")
    if objective not in OBJECTIVES:
        raise ValueError(f"no objective {objective!r}: one of {', '.join(OBJECTIVES)}")
    size = function.size
    count = instructions(function, target) if emit or objective == "instructions" else -1
    if objective == "ir":
        return Cost(size, size, count)
    if objective == "instructions":
        return Cost(count, size, count)
    cycles = latency(function, target)
    return Cost(cycles, size, count, cycles)


def instructions(function: Function, target: str = "x86-64") -> int:
    """Instructions of the assembly that LLVM emits for the function, -1 where it cannot; returns, labels and
    directives not counted.

    Cost: 2 to 4 ms, or a look-up where a function that differs in names only was asked for before.
    """
    return _instructions(canonical(function), target)


@lru_cache(maxsize=65536)
def _instructions(function: Function, target: str) -> int:
    text = print_function(function)
    return -1 if not_emitted(text, target) else instruction_count(assembly(text, target))
