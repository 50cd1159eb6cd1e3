"""Whole idioms of C, such as a loop that counts bits: recognised by what they compute, replaced, and proved.

An idiom proposes closed forms for a function of its kind; those that agree with it on samples are proved by
idioms_prove, and only what is proved is offered.  So recognition need not be right, and is not trusted: the same loop
written in another way is found as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from m4alloc.superopt import idioms_bits, idioms_classes, idioms_memory
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_constants import Table
from m4alloc.superopt.idioms_prove import plain, proved
from m4alloc.superopt.idioms_sample import agree
from m4alloc.superopt.ir import Function
from m4alloc.superopt.verdict import Outcome, Verdict

BOUND = 64
"""How often a loop is followed where nothing else is said."""


@dataclass(frozen=True)
class Idiom:
    """name: what the code does.  reason: why the replacement is right.

    propose: closed forms for a function (given as it is, and with its loops written out) under facts, the cheapest
    first; none where the function is of another kind.
    """

    name: str
    reason: str
    propose: Callable[[Function, Function, Sequence[Fact]], Iterator[Function]]


IDIOMS: Mapping[str, Idiom] = {
    idiom.name: idiom
    for idiom in (
        Idiom("bits in a loop", "a loop over the bits of a word counts or finds them", idioms_bits.closed_forms),
        Idiom("class by comparisons", "steps at regular places are a shift, a count of zeros or a table in a word",
              idioms_classes.closed_forms),
        Idiom("division by a class size", "n // d = (n * m) >> s for every n below a limit, with m = 2**s // d + 1",
              idioms_classes.multiplications),
        Idiom("bytes in a loop", "neighbouring bytes are stored together", idioms_memory.wide_stores),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Offer:
    """A replacement for a function: the idiom it is of, and its verdict."""

    idiom: str
    function: Function
    verdict: Verdict


@dataclass(frozen=True)
class Found:
    """offers: proved, one an idiom, the cheapest form that was proved.  refused: tried, agreed on samples, not proved
    (refuted, or not known)."""

    offers: tuple[Offer, ...]
    refused: tuple[Offer, ...]


def find(
    function: Function,
    facts: Sequence[Fact] = (),
    *,
    bound: int = BOUND,
    seconds: float = 10.0,
    known: Mapping[str, Table] | None = None,
) -> Found:
    """What every idiom offers for the function under the facts.

    bound: how often a loop may be repeated; a proof needs it to be enough.  seconds: for each proof.  known: the
    constant tables that the function reads (idioms_constants.tables of its module's globals).
    Whether an offer is cheaper is for a cost model to say.  Cost: 0.1 s, and the proofs.
    """
    straight, _ = plain(function, bound, known)
    offers: list[Offer] = []
    refused: list[Offer] = []
    for idiom in IDIOMS.values():
        for form in idiom.propose(function, straight, facts):
            if not agree(straight, form, facts):
                continue
            verdict = proved(function, form, facts, bound=bound, seconds=seconds, known=known)
            offer = Offer(idiom.name, form, verdict)
            if verdict.accepted:
                offers.append(offer)
                break
            refused.append(offer)
            if verdict.outcome is Outcome.UNKNOWN:
                break
    return Found(tuple(offers), tuple(refused))
