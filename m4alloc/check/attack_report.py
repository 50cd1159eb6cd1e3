"""What `attack` found, as data: everything that its text and its JSON say comes from here."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

from m4alloc.check.attack_native import Finding
from spec.attack import Attack, Defence, Outcome, Story, Verdict

SCHEMA = "m4alloc/1"


class Simulation(NamedTuple):
    """How often an attack was caught in so many runs in which the model's generators drew, beside the exact share.

    trials: at least 1. caught: of them, at once or late. share: what was to be expected, 0 < share < 1.
    """

    attack: str
    defence: str
    trials: int
    caught: int
    share: float

    @property
    def deviation(self) -> float:
        """How far the count is from what was to be expected, in standard errors.

        >>> Simulation("tag-guess", "mte-scudo", trials=100, caught=53, share=0.5).deviation
        0.6
        """
        return (self.caught - self.trials * self.share) / sqrt(self.trials * self.share * (1 - self.share))


@dataclass(frozen=True, slots=True)
class AttackReport:
    """The answer of `attack`.

    library: the allocator that was attacked; "" for the reference allocator over models of the hardware.
    verdicts: of each attack on each defence. findings: of each attack on the library. stories: of one attack, one run
    on a defence each. simulations: of the verdicts that leave something to chance, when they were asked for.
    """

    library: str
    attacks: tuple[Attack, ...]
    defences: tuple[Defence, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    findings: tuple[Finding, ...] = ()
    stories: tuple[Story, ...] = ()
    simulations: tuple[Simulation, ...] = ()

    def verdict(self, attack: str, defence: str) -> Verdict:
        """The verdict of one pair.  Raises KeyError for one that was not asked for."""
        for verdict in self.verdicts:
            if (verdict.attack, verdict.defence) == (attack, defence):
                return verdict
        raise KeyError((attack, defence))

    def _repr_html_(self) -> str:
        """For notebooks: the report as the command prints it."""
        from m4alloc.check.attack_text import lines
        from m4alloc.view.notebook_report import report

        return report("", lines(self))

    def to_json(self) -> dict[str, Any]:
        """As in docs/json-schema/attack.json; probabilities are fractions as text, "13/14"."""
        return {
            "schema": SCHEMA,
            "verb": "attack",
            "library": self.library or None,
            "attacks": [_attack(attack) for attack in self.attacks],
            "defences": [{"name": defence.name, "title": defence.title} for defence in self.defences],
            "verdicts": [_verdict(verdict) for verdict in self.verdicts],
            "findings": [
                {
                    "attack": finding.attack,
                    "reaction": finding.reaction.value,
                    "step": finding.step,
                    "note": finding.note,
                    "reached": finding.reached,
                }
                for finding in self.findings
            ],
            "stories": [_story(story) for story in self.stories],
            "simulations": [
                simulation._asdict() | {"deviation": simulation.deviation} for simulation in self.simulations
            ],
        }


def _attack(attack: Attack) -> dict[str, Any]:
    return {
        "name": attack.name,
        "family": attack.family.value,
        "sentence": attack.sentence,
        "source": attack.source,
        "steps": [str(step) for step in attack.steps],
        "goal": attack.goal.text,
        "tries": attack.tries,
        "native": attack.is_native,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "attack": verdict.attack,
        "defence": verdict.defence,
        "symbol": verdict.symbol,
        "applies": verdict.applies,
        "reason": verdict.reason,
        "floor": None if verdict.floor is None or not verdict.applies else str(verdict.floor),
        "outcomes": {outcome.value: str(verdict.share(outcome)) for outcome in Outcome if verdict.share(outcome)},
        "catches": [
            {
                "step": catch.step,
                "by": catch.by.name.lower(),
                "kind": catch.kind,
                "code": catch.code,
                "message": catch.message,
                "probability": str(catch.probability),
            }
            for catch in verdict.catches
        ],
    }


def _story(story: Story) -> dict[str, Any]:
    return {
        "attack": story.attack,
        "defence": story.defence,
        "seed": story.seed,
        "outcome": story.outcome.value,
        "ending": story.ending,
        "lines": [line._asdict() for line in story.lines],
    }
