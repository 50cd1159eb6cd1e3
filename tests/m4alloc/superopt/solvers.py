"""Solvers for the tests of campaigns: functions of a module, so that other processes can run them."""

from __future__ import annotations

import os
import signal
import time

from m4alloc.superopt.campaign import Plan, Solved
from m4alloc.superopt.ir import VOID, Block, Function, Instruction, Int, constant
from m4alloc.superopt.problem import Candidate, Cost, Problem, Step
from m4alloc.superopt.verdict import Outcome, Verdict

BYTE = Int(8)


def source(name: str, size: int) -> Function:
    """A function of so many instructions that gives 0."""
    one = constant(BYTE, 1)
    body = [Instruction("add", BYTE, (constant(BYTE, number), one), f"s{number}") for number in range(size)]
    return Function(name, BYTE, (), (Block("entry", (*body, Instruction("ret", VOID, (constant(BYTE, 0),)))),))


def emptied(problem: Problem, plan: Plan) -> Solved:
    """Without its instructions; a name with `hard` in it is left as it is, one with `bad` raises."""
    name = problem.source.name
    if "bad" in name:
        raise ValueError("no such thing")
    best = problem.source if "hard" in name else source(name, 0)
    steps = () if "hard" in name else (Step("empty", "the function", best),)
    cost = Cost(float(best.size), best.size)
    candidate = Candidate(best, cost, Verdict(Outcome.REFINES, "by sight"), "emptying", steps)
    reason = "it is hard" if "hard" in name else ""
    return Solved(candidate, float(problem.source.size), {"proposed": plan.seed}, reason)


def slow(problem: Problem, plan: Plan) -> Solved:
    """As emptied, after a fifth of a second."""
    time.sleep(0.2)
    return emptied(problem, plan)


def deadly(problem: Problem, plan: Plan) -> Solved:
    """As emptied, but one of the functions kills its process."""
    if "deadly" in problem.source.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return emptied(problem, plan)
