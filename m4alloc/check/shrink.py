"""Cut a failing plan down by leaving operations out: the last step of shrinking, after Hypothesis's own.

Hypothesis stops where no single change of what it drew helps. An operation names its block by position, so leaving
one out may make a later one mean another block, while leaving out two together does not.
"""

from __future__ import annotations

from collections.abc import Callable

from m4alloc.check.operation import Aim, Operation

Test = Callable[[list[Operation]], bool]


def shortened(plan: list[Operation], fails: Test) -> list[Operation]:
    """The plan without any run of operations that it still fails without, then with the simplest references.

    `fails(plan)` holds on entry and for what is returned. Cost: O(n log n) tests a round; few rounds are needed.

    >>> from spec.event import Function
    >>> plan = [Operation(Function.MALLOC, size=n) for n in range(9)]
    >>> [operation.size for operation in shortened(plan, lambda kept: {2, 7} <= {step.size for step in kept})]
    [2, 7]
    """
    before = None
    while plan != before:
        before = plan
        length = len(plan) // 2
        while length:
            plan = without_runs(plan, length, fails)
            length //= 2
    for i, operation in enumerate(plan):
        for simpler in (
            operation._replace(thread=0),
            operation._replace(block=0),
            operation._replace(thread=0, block=0),
        ):
            candidate = [*plan[:i], simpler, *plan[i + 1 :]]
            if simpler != plan[i] and operation.aim is not Aim.NULL and fails(candidate):
                plan = candidate
    return plan


def without_runs(plan: list[Operation], length: int, fails: Test) -> list[Operation]:
    """The plan after leaving out, from its end, each run of `length` operations that is not needed."""
    start = len(plan) - length
    while start >= 0:
        candidate = plan[:start] + plan[start + length :]
        if fails(candidate):
            plan = candidate
            start -= length
        else:
            start -= 1
        start = min(start, len(plan) - length)
    return plan
