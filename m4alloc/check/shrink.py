"""Shrink a failing plan: leave operations out, then make what is left simpler, as long as it still fails.

Hypothesis shrinks what it drew, one choice at a time, at some milliseconds a try. Here a plan is cut as what it is, a
list of operations: whole runs of them go at once, and a size is lowered in every operation that has it, since most
faults need several blocks of one size. A shrunk plan takes a tenth of the tries, and is smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from m4alloc.check.operation import Aim, Operation
from m4alloc.check.shrink_blocks import without_blocks
from spec.event import ALLOCATING, RESIZING, Function

Plan = list[Operation]
Test = Callable[[Plan], bool]
ROUNDS = 4
SMALL = 24
FEW = 3
TRIES = 150
EVEN_SIZES = (63, 199, 501, 1003, 1501, 3001, 5003, 7001, 12_001, 20_011, 30_011, 65_521)
"""Sizes that are tried for all blocks of a plan at once."""
LARGEST_EVENED = 1 << 20
MOST_EVENED = 1 << 22
"""Bytes that such a plan may ask for in all: else a try takes longer than it is worth."""
SIZE_MAX = 2**64 - 1
REMEMBERED = 500
"""Operations of a plan that is not tested twice."""


def shrunk(plan: Plan, fails: Test, *, numbers: bool = True) -> Plan:
    """A small plan that still fails. `fails(plan)` holds on entry and for what is returned.

    numbers: whether sizes, counts and alignments are lowered, too.
    Cost: some tens of tests for a plan of a hundred operations that needs few of them.

    >>> from spec.event import Function
    >>> plan = [Operation(Function.MALLOC, thread=1, size=n) for n in range(100)]
    >>> shrunk(plan, lambda kept: sum(step.size >= 50 for step in kept) >= 2) == [
    ...     Operation(Function.MALLOC, size=50)
    ... ] * 2
    True
    """
    fails = remembered(fails)
    if numbers and len(plan) > SMALL:
        plan = evened(plan, fails)
    plan = shortened(without_blocks(plan, fails), fails)
    if numbers and len(plan) > FEW:
        plan = evened(plan, fails)
    for _ in range(ROUNDS):
        before = plan
        plan = simplified(shortened(plan, fails), fails)
        if numbers:
            plan = lowered(plan, fails)
        if plan == before:
            break
    return plan


def remembered(fails: Test) -> Test:
    """The test, which is not made twice on one plan: four of five would be.

    Plans longer than REMEMBERED are tested each time, since to keep them would take too much memory.

    >>> tested = []
    >>> test = remembered(lambda plan: tested.append(plan) or not plan)
    >>> test([]), test([]), len(tested)
    (True, True, 1)
    """
    known: dict[tuple[Operation, ...], bool] = {}

    def test(plan: Plan) -> bool:
        if len(plan) > REMEMBERED:
            return fails(plan)
        key = tuple(plan)
        answer = known.get(key)
        if answer is None:
            answer = known[key] = fails(plan)
        return answer

    return test


def shortened(plan: Plan, fails: Test) -> Plan:
    """The plan without any run of operations that it still fails without.

    Cost: O(n log n) tests at worst, and up to 300 once no more than SMALL operations are left: then every run is tried.

    >>> from spec.event import Function
    >>> plan = [Operation(Function.MALLOC, size=n) for n in range(9)]
    >>> [operation.size for operation in shortened(plan, lambda kept: {2, 7} <= {step.size for step in kept})]
    [2, 7]
    """
    length = len(plan)
    while length > 0:
        end = len(plan)
        while end > 0:
            start = max(end - length, 0)
            shorter = without(plan, start, end, fails)
            end = start if shorter is not plan or len(plan) > SMALL else end - 1
            plan = shorter
        length = min(length // 2 if length > SMALL else length - 1, len(plan))
    return plan


def evened(plan: Plan, fails: Test) -> Plan:
    """The plan with one size for all its blocks, if it is shorter for that.

    A few large blocks often fill what takes many small ones, and show what is hidden in a few bytes.
    Cost: the tests of `shortened`, for each size that will do.
    """
    best = plan
    for size, kept in ((size, kept) for kept in (0, 1) for size in EVEN_SIZES):
        if size * len(plan) > MOST_EVENED:
            continue
        # The last request is often the one that needs a size of its own.
        candidate = [of_size(step, size) for step in plan[: len(plan) - kept]] + plan[len(plan) - kept :]
        if candidate != plan and fails(candidate):
            candidate = shortened_for_a_while(candidate, fails)
            if len(candidate) < len(best):
                best = candidate
    return best


class EnoughError(Exception):
    """As many tests were made as were allowed."""


def shortened_for_a_while(plan: Plan, fails: Test) -> Plan:
    """The plan without what it still fails without, as far as TRIES tests show: some plans are no shorter this way."""
    best, tries = plan, 0

    def counted(candidate: Plan) -> bool:
        nonlocal best, tries
        tries += 1
        if tries > TRIES:
            raise EnoughError
        broke = fails(candidate)
        if broke and len(candidate) <= len(best):
            best = candidate
        return broke

    try:
        return shortened(without_blocks(plan, counted), counted)
    except EnoughError:
        return best


def of_size(step: Operation, size: int) -> Operation:
    """The operation with another size for its block, unless it asks for what cannot be had."""
    if not named(step) or step.size * step.count > LARGEST_EVENED:
        return step
    return step._replace(size=max(size // max(step.count, 1), 1))


def named(step: Operation) -> bool:
    """Whether the operation names the size of a block."""
    return step.function in ALLOCATING or step.function in RESIZING


def without(plan: Plan, start: int, end: int, fails: Test) -> Plan:
    """The plan without the operations from start to end, or the plan itself where that does not fail.

    Without an allocation, the operations after it may have to name their blocks by one less.
    """
    head, tail = plan[:start], plan[end:]
    for candidate in (head + tail, head + nearer(tail)) if end - start == 1 else (head + tail,):
        if fails(candidate):
            return candidate
    return plan


def nearer(plan: Plan) -> Plan:
    """The plan with every block named one position younger."""
    return [step._replace(block=max(step.block - 1, 0)) if step.aim is Aim.LIVE else step for step in plan]


def lowered(plan: Plan, fails: Test) -> Plan:
    """The plan with smaller sizes and counts, each lowered in every operation that has it. Cost: O(log size) a size."""
    for field in ("size", "count", "alignment"):
        for value in sorted({getattr(operation, field) for operation in plan}, reverse=True):
            plan = lowered_value(plan, fails, field, value)
    return plan


def lowered_value(plan: Plan, fails: Test, field: str, value: int) -> Plan:
    """The plan with one value of a field replaced by the least that bisection finds; alignments stay powers of two."""

    def replaced(smaller: int) -> Plan:
        changes: dict[str, Any] = {field: smaller}
        return [step._replace(**changes) if getattr(step, field) == value else step for step in plan]

    least = 0 if field == "size" else 1
    if value <= least:
        return plan
    if fails(replaced(least)):
        return replaced(least)
    low, high = least, value  # invariant: replaced(high) fails; replaced(low) is not known to
    while high - low > 1:
        middle = (low + high) // 2
        if field == "alignment":
            middle = 1 << (middle.bit_length() - 1)
            if middle == low:
                break
        if fails(replaced(middle)):
            high = middle
        else:
            low = middle
    return replaced(high)


def simplified(plan: Plan, fails: Test) -> Plan:
    """The plan with each operation a plain malloc, on thread 0, of a young block, if that will do. Cost: O(n) tests."""
    for i in range(len(plan)):
        for simplify in (as_malloc, on_thread_0, on_block_0, on_block_1, on_block_2, on_block_3):
            simpler = simplify(plan[i])
            candidate = [*plan[:i], simpler, *plan[i + 1 :]]
            if simpler != plan[i] and fails(candidate):
                plan = candidate
    return plan


def as_malloc(step: Operation) -> Operation:
    """The operation as malloc of as many bytes, if it hands out a block in another way.

    >>> from spec.event import Function
    >>> as_malloc(Operation(Function.CALLOC, 2, size=8, count=3))[:5]
    (<Function.MALLOC: 1>, 2, <Aim.NULL: 0>, 0, 24)
    """
    if step.function not in ALLOCATING and step.function not in RESIZING:
        return step
    return Operation(Function.MALLOC, step.thread, size=step.size * step.count & SIZE_MAX)


def on_thread_0(step: Operation) -> Operation:
    return step._replace(thread=0)


def on_block(number: int) -> Callable[[Operation], Operation]:
    """Makes an operation name its block by `number`, unless it names a younger one already."""
    return lambda step: step._replace(block=min(number, step.block))


on_block_0, on_block_1, on_block_2, on_block_3 = map(on_block, range(4))
