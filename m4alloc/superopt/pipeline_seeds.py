"""The first proposals: the source without its dead and repeated code, given seeds, what LLVM -O3 makes of it."""

from __future__ import annotations

from dataclasses import dataclass

from m4alloc.superopt.ir import Function
from m4alloc.superopt.problem import Judge, Step
from m4alloc.superopt.simplify import cleaned
from m4alloc.superopt.toolchain import optimised


@dataclass
class Seeds:
    """A `Search` that offers the problem's seeds and the cleaned source, each cleaned again."""

    name: str = "seeds"

    def run(self, judge: Judge, seed: int) -> None:
        """A handful of proposals."""
        clean = cleaned(judge.problem.source)
        judge.offer(clean, self.name, (Step("clean", "the function", clean),))
        for number, function in enumerate(judge.problem.seeds):
            _both(judge, function, self.name, f"seed {number}")


@dataclass
class Llvm:
    """A `Search` that offers what LLVM's own pipeline makes of the source at -O3, then of the best so far.

    refused: why there is no such proposal, "" where there was one.
    """

    name: str = "llvm -O3"
    refused: str = ""

    def run(self, judge: Judge, seed: int) -> None:
        """One or two proposals; LLVM's output is proved like any other."""
        self.refused = ""
        for function in dict.fromkeys((judge.problem.source, judge.best.function)):
            try:
                result = optimised(function, judge.problem.target)
            except (ValueError, KeyError) as error:
                self.refused = str(error)
                return
            _both(judge, result, self.name, self.name)


def _both(judge: Judge, function: Function, method: str, rule: str) -> None:
    """Offer the function, and what cleaning makes of it."""
    step = Step(rule, "the function", function)
    judge.offer(function, method, (step,))
    clean = cleaned(function)
    if clean != function:
        judge.offer(clean, method, (step, Step("clean", "the function", clean)))
