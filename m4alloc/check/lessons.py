"""What the compiled acceptor is told: the terms, the rules it knows, and which of them each plain call counts for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, ClassVar

from spec.acceptor import Acceptor
from spec.event import WHOLE_SCANNED, Event
from spec.heap import Block
from spec.judge import ON_ACCESS, ON_RELEASE, ON_REPLY, PTRDIFF_MAX, SIZE_MAX
from spec.standard import FUNDAMENTAL, ReallocZero

Tally = dict[str, int]

GLANCED = frozenset(
    {
        "aligned-alloc-arguments",
        "block-accessible",
        "block-keeps-contents",
        "call-returns",
        "calloc-overflow-refused",
        "calloc-zeroes",
        "calloc-zeroes-usable",
        "free-keeps-errno",
        "free-null-does-nothing",
        "misuse-caught",
        "posix-memalign-arguments",
        "ptrdiff-max-refused",
        "pvalloc-whole-pages",
        "quarantine-respected",
        "realloc-failure-keeps-block",
        "realloc-keeps-contents",
        "realloc-zero",
        "reallocarray-overflow-refused",
        "result-aligned-as-requested",
        "result-aligned-fundamental",
        "result-contained",
        "result-disjoint",
        "result-non-null-or-enomem",
        "reuse-only-after-free",
        "usable-at-least-requested",
        "usable-size-null",
        "valid-call-accepted",
        "zero-size-distinct",
    }
)
"""The rules that m4alloc/_accept_glance.pxd knows when to leave to the readable acceptor."""

BEGUN, ENDED, OBJECTIONABLE = 1, 2, 4
"""What is known of a signature, as in m4alloc/_accept_evidence.pxd."""


def is_glanced(acceptor: Acceptor) -> bool:
    """Whether the glance knows every rule that this acceptor judges, and flat memory holds its numbers.

    >>> is_glanced(Acceptor()), is_glanced(Acceptor(arena=(0, 2**64)))
    (True, False)
    """
    rules = acceptor.contract.rules
    low, high = acceptor.span
    return (
        not unknown_rules(rules)
        and "result-contained" in rules  # so that no block reaches beyond what flat memory counts
        and 0 <= low < high <= PTRDIFF_MAX + 1
        and 0 < acceptor.page <= PTRDIFF_MAX
        and acceptor.window.length <= PTRDIFF_MAX
        and 0 <= acceptor.window.limit <= SIZE_MAX
    )


def unknown_rules(rules: Iterable[str]) -> set[str]:
    """Those of the rules in force that the acceptor judges and the glance does not know.

    >>> from spec.contract import RULES
    >>> unknown_rules(RULES)
    set()
    """
    judged = {*ON_RELEASE, *ON_REPLY, *ON_ACCESS}
    return {rule for rule in rules if rule in judged} - GLANCED


def terms_of(acceptor: Acceptor) -> dict[str, Any]:
    """What the glance has to know of the acceptor: the fields of Terms in m4alloc/_accept_glance.pxd."""
    contract = acceptor.contract
    low, high = acceptor.span
    return {
        "low": low,
        "last": min(high, PTRDIFF_MAX) - 1,  # no block that lies below is too large for any rule
        "page": acceptor.page,
        "masks": [contract.fundamental(size) - 1 for size in range(FUNDAMENTAL)],
        "zero_fails": not contract.zero_is_block,
        "zero_frees": contract.realloc_zero is ReallocZero.FREES,
        "zero_hands_out": contract.realloc_zero in (ReallocZero.OPEN, ReallocZero.EINVAL),
        "zeroes_usable": "calloc-zeroes-usable" in contract.rules,
        "scans_whole": bool(acceptor.observes & WHOLE_SCANNED),
    }


class Lessons:
    """Which rules count calls of each signature on some terms: what the readable acceptor said of the first of each."""

    _known: ClassVar[OrderedDict[object, Lessons]] = OrderedDict()

    def __init__(self, acceptor: Acceptor) -> None:
        self._terms: dict[str, Any] = {
            "standard": acceptor.contract,
            "quarantine": acceptor.window.length,
            "quarantine_limit": acceptor.window.limit,
            "arena": acceptor.span,
            "page": acceptor.page,
            "observes": acceptor.observes,
        }
        self._bits: dict[int, int] = {}
        self._begun: dict[int, dict[str, int]] = {}
        self._ended: dict[int, dict[str, int]] = {}

    @classmethod
    def of(cls, acceptor: Acceptor) -> Lessons:
        """The lessons for an acceptor's terms; what was learned for the same terms before is known."""
        contract, window = acceptor.contract, acceptor.window
        answers = (contract.aligns_small, contract.names_errors, contract.zero_is_block, contract.realloc_zero)
        seen = (window.length > 0, acceptor.span, acceptor.page, acceptor.observes)
        terms = (contract.standards, *contract.rules, answers, seen)
        lessons = cls._known.pop(terms, None) or cls(acceptor)
        cls._known[terms] = lessons
        if len(cls._known) > 64:
            cls._known.popitem(last=False)
        return lessons

    def learn(self, key: int, event: Event, old: Block | None, what: int) -> int:
        """What is known of a signature now, of which `event` is a plain call: the bits of `what`, or OBJECTIONABLE.

        old: the live block that the event names.
        """
        missing = what & ~self._bits.get(key, 0)
        if missing:
            self._bits[key] = self._bits.get(key, 0) | self._show(key, event, old, missing)
        return self._bits[key]

    def _show(self, key: int, event: Event, old: Block | None, what: int) -> int:
        acceptor = Acceptor(**self._terms)
        if old is not None:
            acceptor.heap.insert(old)
        acceptor.release(event)
        begun = {name: number for name, number in acceptor.tally.items() if number}
        if what & BEGUN:
            self._begun[key] = begun
        if what & ENDED:
            acceptor.acquire(event)
            self._ended[key] = {
                name: number - begun.get(name, 0)
                for name, number in acceptor.tally.items()
                if number != begun.get(name, 0)
            }
        return OBJECTIONABLE if acceptor.findings or acceptor.contested else what

    def tally(self, counts: list[tuple[int, int, int]]) -> Tally:
        """What calls add to the tally: of each signature, so many have begun, and so many have returned."""
        tally: Tally = {}
        for key, begun, ended in counts:
            for number, rules in ((begun, self._begun), (ended, self._ended)):
                for name, times in rules[key].items() if number else ():
                    tally[name] = tally.get(name, 0) + number * times
        return tally
