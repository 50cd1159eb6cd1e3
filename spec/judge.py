"""How each rule of the contract is judged on one call: the readable form, one function a rule.

Each function answers for one call: there was no evidence (False), the rule held (True), or it broke (Broken).
`spec.history` has a fast form of the same; tests hold the two equal.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection
from typing import NamedTuple

from spec.event import (
    ALLOCATING,
    ERRNO_CHANGED,
    FREEING,
    MISUSE_CAUGHT,
    NEVER_RETURNED,
    RESIZING,
    WHOLE_SCANNED,
    Event,
    Function,
    returned,
)
from spec.heap import Block, Grave
from spec.standard import FUNDAMENTAL, Contract, ReallocZero
from spec.story import death, error, inside, life, pointer

SIZE_MAX = 2**64 - 1
PTRDIFF_MAX = 2**63 - 1
POINTER_SIZE = 8
OF_GLIBC = frozenset({Function.MEMALIGN, Function.VALLOC, Function.PVALLOC})
"""Functions that no standard names but the GNU C library's manual."""


class Call(NamedTuple):
    """One call, and what a judge may look at.

    old: the live block whose address was handed in, as it was before the call, or in which an access lies; else None.
    overlapping: the live blocks, `old` apart, that share a byte with the block handed out.
    young: a grave inside the block handed out that may not be reused yet; passed: frees since it.
    span: [low, high), where blocks may lie. observes: the flags that whoever recorded the call looks for.
    """

    event: Event
    contract: Contract
    old: Block | None = None
    overlapping: tuple[Block, ...] = ()
    survivors: Collection[int] = ()
    young: Grave | None = None
    passed: int = 0
    quarantine: int = 0
    span: tuple[int, int] = (1, 2**56)
    page: int = 4096
    observes: int = 0

    def saw(self, flag: int) -> bool:
        """Whether there is evidence about `flag`: it is raised, or whoever recorded the call looks for it.

        A call that never returned leaves no evidence: nobody could look.
        """
        return bool((self.observes | self.event.flags) & flag) and returned(self.event)


class Broken(NamedTuple):
    """A rule did not hold: what happened, after the name of the call, and the block that was harmed."""

    what: str
    block: Block | None = None


Judge = Callable[[Call], "bool | Broken"]
ON_RELEASE: dict[str, Judge] = {}
"""The judges of calls whatever their reply, by rule: they speak when the call begins."""
ON_REPLY: dict[str, Judge] = {}
"""The judges of replies, by rule: they speak when the call has returned."""
ON_ACCESS: dict[str, Judge] = {}
"""The judges of the client's loads and stores inside a live block, by rule."""


def _judges(rule: str, table: dict[str, Judge]) -> Callable[[Judge], Judge]:
    def register(judge: Judge) -> Judge:
        table[rule] = judge
        return judge

    return register


def hands_out(event: Event) -> bool:
    """Whether the call returned a block."""
    if event.function == Function.POSIX_MEMALIGN and event.errno:
        return False
    return bool(event.result) and (event.function in ALLOCATING or event.function in RESIZING)


def overflows(event: Event) -> bool:
    """Whether the bytes requested are more than a size_t counts."""
    return event.request_size > SIZE_MAX


def granted(event: Event) -> int:
    """The bytes an allocator that hands out a block takes itself to be asked for: the product wraps."""
    return event.request_size & SIZE_MAX


def extent(event: Event) -> int:
    """The bytes that the block handed out occupies."""
    return max(event.usable, granted(event), 1)


def is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def resizes_to_zero(event: Event) -> bool:
    return event.function in RESIZING and event.address != 0 and event.request_size == 0


def undefined(event: Event, contract: Contract) -> bool:
    """Whether the standards leave the call undefined, so that nothing is demanded of its reply."""
    return contract.realloc_zero is ReallocZero.UNDEFINED and resizes_to_zero(event)


@_judges("call-returns", ON_RELEASE)
def call_returns(call: Call) -> bool | Broken:
    """Asked about every call of the family that is no misuse."""
    if call.event.flags & NEVER_RETURNED:
        about = f", though it names {call.old}, {life(call.old)}" if call.old is not None else ""
        return Broken(f"never returned{about}", call.old)
    return returned(call.event)


@_judges("calloc-overflow-refused", ON_REPLY)
def calloc_overflow_refused(call: Call) -> bool | Broken:
    return call.event.function == Function.CALLOC and _overflow_refused(call)


@_judges("reallocarray-overflow-refused", ON_REPLY)
def reallocarray_overflow_refused(call: Call) -> bool | Broken:
    return call.event.function == Function.REALLOCARRAY and _overflow_refused(call)


def _overflow_refused(call: Call) -> bool | Broken:
    event = call.event
    if not overflows(event):
        return False
    if event.result:
        return Broken(f"returned {event.result:#x}, though {event.request_size} bytes are more than a size_t counts")
    if call.contract.names_errors and event.errno != errno.ENOMEM:
        return Broken(f"failed with {error(event.errno)} instead of ENOMEM")
    return True


@_judges("aligned-alloc-arguments", ON_REPLY)
def aligned_alloc_arguments(call: Call) -> bool | Broken:
    event = call.event
    if event.function != Function.ALIGNED_ALLOC or is_power_of_two(event.alignment):
        return False
    if event.result:
        return Broken(f"returned {event.result:#x}, though {event.alignment} is no power of two")
    if call.contract.names_errors and event.errno != errno.EINVAL:
        return Broken(f"failed with {error(event.errno)} instead of EINVAL")
    return True


@_judges("posix-memalign-arguments", ON_REPLY)
def posix_memalign_arguments(call: Call) -> bool | Broken:
    event = call.event
    if event.function != Function.POSIX_MEMALIGN:
        return False
    valid = is_power_of_two(event.alignment) and event.alignment % POINTER_SIZE == 0
    if not valid and event.errno != errno.EINVAL:
        return Broken(f"returned {error(event.errno)} instead of EINVAL for an alignment of {event.alignment}")
    # For no bytes POSIX admits "an implementation-defined error number"; the GNU C library's manual names two errors.
    errors_open = not event.size and "glibc" not in call.contract.standards
    if valid and not errors_open and event.errno not in (0, errno.ENOMEM):
        return Broken(f"returned {error(event.errno)}, though its arguments are valid")
    if valid and event.size and not event.errno and not event.result:
        return Broken("returned no error and no block")
    if event.errno and event.address and event.result not in (0, event.address):
        return Broken(f"failed, but changed *memptr from {event.address:#x} to {event.result:#x}")
    return True


@_judges("realloc-zero", ON_REPLY)
def realloc_zero(call: Call) -> bool | Broken:
    event, rule = call.event, call.contract.realloc_zero
    if not resizes_to_zero(event) or call.old is None:
        return False
    if rule is ReallocZero.FREES and event.result:
        return Broken(f"returned {event.result:#x} instead of NULL", call.old)
    if rule is ReallocZero.EINVAL and not event.result and event.errno not in (errno.EINVAL, errno.ENOMEM):
        return Broken(f"returned NULL with {error(event.errno)} instead of EINVAL", call.old)
    return True


@_judges("result-non-null-or-enomem", ON_REPLY)
def result_non_null_or_enomem(call: Call) -> bool | Broken:
    event = call.event
    function = event.function
    if function in (Function.NEW, Function.POSIX_MEMALIGN) or overflows(event) or resizes_to_zero(event):
        return False
    if function not in ALLOCATING and function not in RESIZING:
        return False
    if function == Function.ALIGNED_ALLOC and not is_power_of_two(event.alignment):
        return False
    if event.result or event.errno == errno.ENOMEM:
        return True
    if event.errno == errno.EINVAL and function in (Function.ALIGNED_ALLOC, Function.MEMALIGN):
        return True  # an implementation may support fewer alignments
    if event.request_size == 0 and not call.contract.zero_is_block:
        return True
    if function in OF_GLIBC and "glibc" not in call.contract.standards:
        return True  # no other standard says how these fail
    return Broken(f"returned NULL with {error(event.errno)}")


@_judges("ptrdiff-max-refused", ON_REPLY)
def ptrdiff_max_refused(call: Call) -> bool | Broken:
    event = call.event
    match event.function:
        case Function.MALLOC | Function.CALLOC | Function.REALLOC | Function.REALLOCARRAY:
            if not PTRDIFF_MAX < event.request_size <= SIZE_MAX:
                return False
        case _:
            return False
    return Broken(f"returned {event.result:#x}, though PTRDIFF_MAX is {PTRDIFF_MAX}") if event.result else True


@_judges("result-contained", ON_REPLY)
def result_contained(call: Call) -> bool | Broken:
    event, old = call.event, call.old
    low, high = call.span
    if event.function == Function.USABLE_SIZE and old is not None:
        if old.base + event.result > high:
            return Broken(f"returned {event.result} for {old}, which reaches beyond {high:#x}", old)
        return False
    if not hands_out(event):
        return False
    base, top = event.result, event.result + extent(event)
    if base < low or top > high:
        return Broken(f"returned [{base:#x}, {top:#x}), which is not inside [{low:#x}, {high:#x})")
    return True


@_judges("result-aligned-fundamental", ON_REPLY)
def result_aligned_fundamental(call: Call) -> bool | Broken:
    event = call.event
    match event.function:
        case Function.MALLOC | Function.CALLOC | Function.REALLOC | Function.REALLOCARRAY:
            need = call.contract.fundamental(granted(event))
        case Function.NEW if not event.alignment:
            # A size is a multiple of its type's alignment: no object of exactly this size needs more.
            need = min(FUNDAMENTAL, event.size & -event.size or 1)
        case _:
            return False
    return _aligned(event, need)


@_judges("result-aligned-as-requested", ON_REPLY)
def result_aligned_as_requested(call: Call) -> bool | Broken:
    event = call.event
    match event.function:
        case Function.VALLOC | Function.PVALLOC:
            need = event.alignment or call.page
        case Function.ALIGNED_ALLOC | Function.MEMALIGN | Function.POSIX_MEMALIGN | Function.NEW:
            need = event.alignment
        case _:
            return False
    if event.function in OF_GLIBC and not granted(event) and "glibc" not in call.contract.standards:
        return is_power_of_two(need) and hands_out(event)  # of no bytes: no other standard names these functions
    return is_power_of_two(need) and _aligned(event, need)


def _aligned(event: Event, need: int) -> bool | Broken:
    if not hands_out(event):
        return False
    if event.result % need:
        return Broken(f"returned {event.result:#x}, which is no multiple of {need}")
    return True


@_judges("usable-at-least-requested", ON_REPLY)
def usable_at_least_requested(call: Call) -> bool | Broken:
    event = call.event
    if event.function == Function.USABLE_SIZE:
        if call.old is None:
            return False
        if event.result < call.old.size:
            return Broken(f"returned {event.result} for {call.old}, {life(call.old)}", call.old)
        return True
    if not hands_out(event) or event.usable < 0:
        return False
    if event.usable < granted(event):
        return Broken(f"returned {event.result:#x} with {event.usable} usable bytes")
    return True


@_judges("pvalloc-whole-pages", ON_REPLY)
def pvalloc_whole_pages(call: Call) -> bool | Broken:
    event = call.event
    if event.function != Function.PVALLOC or not event.result or event.usable < 0:
        return False
    page = event.alignment or call.page
    need = -(-event.size // page) * page
    if event.usable < need:
        return Broken(
            f"returned {event.result:#x} with {event.usable} usable bytes instead of {need}, in pages of {page}"
        )
    return True


@_judges("usable-size-null", ON_REPLY)
def usable_size_null(call: Call) -> bool | Broken:
    event = call.event
    if event.function != Function.USABLE_SIZE or event.address:
        return False
    return Broken(f"returned {event.result}") if event.result else True


def _collision(call: Call, rule: str) -> bool | Broken:
    """Judge a rule about sharing bytes: a collision is charged to the one rule that says most about it."""
    event = call.event
    for block in call.overlapping:
        if block.id in call.survivors:
            charged = "realloc-failure-keeps-block"
        elif event.function != Function.USABLE_SIZE and 0 in (granted(event), block.size):
            charged = "zero-size-distinct"
        elif block.base == event.result:
            charged = "reuse-only-after-free"
        else:
            charged = "result-disjoint"
        if charged == rule:
            if event.function == Function.USABLE_SIZE:
                return Broken(f"returned {event.result}, which reaches into {block}, {life(block)}", block)
            reached = f"returned {event.result:#x} with {extent(event)} bytes, {inside(event.result, block)}"
            return Broken(f"{reached}, {life(block)}", block)
    return hands_out(event) or bool(call.overlapping)


@_judges("result-disjoint", ON_REPLY)
def result_disjoint(call: Call) -> bool | Broken:
    return _collision(call, "result-disjoint")


@_judges("zero-size-distinct", ON_REPLY)
def zero_size_distinct(call: Call) -> bool | Broken:
    verdict = _collision(call, "zero-size-distinct")
    return verdict if isinstance(verdict, Broken) else hands_out(call.event) and granted(call.event) == 0


@_judges("reuse-only-after-free", ON_REPLY)
def reuse_only_after_free(call: Call) -> bool | Broken:
    return _collision(call, "reuse-only-after-free")


@_judges("quarantine-respected", ON_REPLY)
def quarantine_respected(call: Call) -> bool | Broken:
    event, young = call.event, call.young
    if not call.quarantine or not hands_out(event):
        return False
    if young is None:
        return True
    return Broken(
        f"returned {event.result:#x}, which reuses {young.block}, {death(young)}, "
        f"after {call.passed} other frees of its size class instead of {call.quarantine}",
        young.block,
    )


@_judges("calloc-zeroes", ON_REPLY)
def calloc_zeroes(call: Call) -> bool | Broken:
    event = call.event
    if event.function != Function.CALLOC or not event.result or event.intact < 0:
        return False
    if event.intact < granted(event):
        return Broken(f"returned {event.result:#x}, whose byte {event.intact} of {granted(event)} is not zero")
    return True


@_judges("calloc-zeroes-usable", ON_REPLY)
def calloc_zeroes_usable(call: Call) -> bool | Broken:
    """There is evidence where the scan went on behind the bytes requested: someone says so, or it got further."""
    event = call.event
    if event.function != Function.CALLOC or not event.result or event.intact < 0 or event.usable < 0:
        return False
    if event.intact >= event.usable:
        return True
    if event.intact <= granted(event) and not call.saw(WHOLE_SCANNED):
        return False
    return Broken(f"returned {event.result:#x}, whose byte {event.intact} of {event.usable} usable ones is not zero")


@_judges("realloc-keeps-contents", ON_REPLY)
def realloc_keeps_contents(call: Call) -> bool | Broken:
    event, old = call.event, call.old
    if event.function not in RESIZING or not event.result or old is None or event.intact < 0:
        return False
    kept = min(old.size, granted(event))
    if event.intact < kept:
        what = f"returned {pointer(event.result)}, whose byte {event.intact} of the {kept} to keep changed"
        return Broken(f"{what}; it was {old}, {life(old)}", old)
    return True


@_judges("realloc-failure-keeps-block", ON_REPLY)
def realloc_failure_keeps_block(call: Call) -> bool | Broken:
    event, old = call.event, call.old
    collision = _collision(call, "realloc-failure-keeps-block")
    if isinstance(collision, Broken):
        return collision
    if event.function not in RESIZING or event.result or old is None or event.intact < 0 or resizes_to_zero(event):
        return False
    if event.intact < old.size:
        return Broken(f"failed, but changed byte {event.intact} of {old}, {life(old)}", old)
    return True


@_judges("free-null-does-nothing", ON_RELEASE)
def free_null_does_nothing(call: Call) -> bool | Broken:
    event = call.event
    if event.function not in FREEING or event.address or not call.saw(MISUSE_CAUGHT):
        return False
    return Broken("was reported as misuse") if event.flags & MISUSE_CAUGHT else True


@_judges("free-keeps-errno", ON_RELEASE)
def free_keeps_errno(call: Call) -> bool | Broken:
    event = call.event
    if event.function != Function.FREE or not call.saw(ERRNO_CHANGED):
        return False
    return Broken("changed errno", call.old) if event.flags & ERRNO_CHANGED else True


@_judges("valid-call-accepted", ON_RELEASE)
def valid_call_accepted(call: Call) -> bool | Broken:
    event, old = call.event, call.old
    if old is None or not call.saw(MISUSE_CAUGHT) or (event.function not in FREEING and event.function not in RESIZING):
        return False
    if event.flags & MISUSE_CAUGHT:
        return Broken(f"was reported as misuse, though it names {old}, {life(old)}", old)
    return True


@_judges("misuse-caught", ON_RELEASE)
def misuse_caught(call: Call) -> bool | Broken:
    """Asked only about calls that are misuse."""
    event = call.event
    if call.old is not None or not event.address or not call.saw(MISUSE_CAUGHT):
        return False
    return True if event.flags & MISUSE_CAUGHT else Broken("was not reported, though it is misuse")


@_judges("block-accessible", ON_ACCESS)
def block_accessible(call: Call) -> bool | Broken:
    event, block = call.event, call.old
    if event.flags & NEVER_RETURNED and block is not None:
        return Broken(f"never returned, though it lies inside {block}, {life(block)}", block)
    return returned(event)


@_judges("block-keeps-contents", ON_ACCESS)
def block_keeps_contents(call: Call) -> bool | Broken:
    event, block = call.event, call.old
    if event.function != Function.LOAD or event.intact < 0 or block is None or not returned(event):
        return False
    if event.intact < event.size:
        where = inside(event.address + event.intact, block)
        what = f"found that byte {event.intact} of {event.size} is not what was stored there"
        return Broken(f"{what}: {where}, {life(block)}", block)
    return True
