"""Proofs of rules over the full encoding, and what is known where z3 gives up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capability.cheri.isa import Isa
from m4alloc.superopt.cheri.layout import layout_of, scaled
from m4alloc.superopt.cheri.lemmas import PROVED
from m4alloc.superopt.cheri.lemmas import WAYS as LEMMA_WAYS
from m4alloc.superopt.cheri.rules import Rule
from m4alloc.superopt.cheri.smt import Answer, Question, ask

FULL, REDUCED = "proved at full width", "checked at reduced width"
_WAYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    **LEMMA_WAYS,
    "S2": (("m",),),
    "S5": (("c",),),
    "S8": (("c",),),
    "S9": (("c",),),
    "S12 base": (("c",),),
    "S12 length": (("c",),),
    "S16": (("n",),),
    "S17": (("n",),),
    "S18": (("n",),),
    "S19 load": (("c", "n"),),
    "S19 store": (("c", "n"),),
    "S23": (("c", "n"),),
}
"""How each question is split where z3 does not answer it whole; found by trying."""


@dataclass(frozen=True)
class Proof:
    """What is known of a rule on an instruction set.

    outcome: `FULL`, `REDUCED`, "refuted", or "unknown". method: "from lemmas", "whole", or how it was split.
    """

    rule: str
    isa: str
    outcome: str
    method: str
    seconds: float
    strict: bool = True

    def __str__(self) -> str:
        compared = "" if self.strict else ", untagged values by address only"
        return f"{self.rule} on {self.isa}: {self.outcome}, {self.method}{compared} ({self.seconds:.1f} s)"


def prove(rule: Rule, isa: Isa, *, seconds: float = 120.0, strict: bool = True, reduced: bool = True) -> Proof:
    """Prove a rule under its condition: from the lemmas, worked out whole, in cases, and else at reduced width.

    seconds: for the proof at full width; the one at reduced width has as many again.  reduced: fall back to it.
    Raises Unsupported, and TermError for instruction sets without formulas, and where the rule is not to be used.
    """
    condition = rule.condition_on(isa)
    if condition is None:
        return Proof(rule.name, str(isa), "not used", "not true there, or no such instruction", 0.0, strict)
    layout = layout_of(isa)
    opened = Question(rule.source, rule.target, condition, layout, strict, by_lemmas=True)
    spent = 0.0
    if rule.name not in LEMMA_WAYS and layout.format in PROVED:  # a lemma is no proof of itself
        answer = ask(opened, seconds=min(90.0, seconds / 2), whole=90.0, ways=())
        spent += answer.seconds
        if answer.outcome == "proved":
            return Proof(rule.name, str(isa), FULL, "from lemmas", spent, strict)
    worked = Question(rule.source, rule.target, condition, layout, strict)
    ways = _WAYS.get(rule.name)
    answer = ask(worked, seconds=seconds - spent, whole=min(15.0, seconds / 4), ways=ways)
    spent += answer.seconds
    if answer.outcome != "unknown":
        return Proof(
            rule.name, str(isa), FULL if answer.outcome == "proved" else "refuted", _method(answer), spent, strict
        )
    if not reduced:
        return Proof(rule.name, str(isa), "unknown", answer.reason, spent, strict)
    small = ask(Question(rule.source, rule.target, condition, scaled(isa), strict), seconds=seconds, whole=seconds)
    outcome = {"proved": REDUCED, "refuted": "refuted at reduced width"}.get(small.outcome, "unknown")
    return Proof(rule.name, str(isa), outcome, f"{answer.reason}; at 8 bits {_method(small)}", spent, strict)


def _method(answer: Answer) -> str:
    return "whole" if answer.by == "whole" else f"{answer.cases} cases: {answer.by}"
