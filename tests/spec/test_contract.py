"""The contract as a table: every rule has an attack that only it catches, a source, and a line in the docs."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from spec import script
from spec.acceptor import Acceptor
from spec.contract import MISUSES, PROMISE, RULES, Rule
from spec.error import MISUSE_KINDS, Misuse, Violation
from spec.history import accept
from spec.judge import ON_RELEASE, ON_REPLY
from spec.standard import STANDARDS, ReallocZero, contract

ROOT = Path(__file__).parents[2]
ATTACKS = ROOT / "tests" / "scripts" / "rules"
MISUSE_SCRIPTS = ROOT / "tests" / "scripts" / "misuse"


def load(path: Path) -> script.Script:
    return script.parse(path.read_text(), path.name)


def test_every_rule_has_one_attack_and_one_judge() -> None:
    assert {path.stem for path in ATTACKS.glob("*.heap")} == set(RULES)
    assert {*ON_REPLY, *ON_RELEASE} == set(RULES)
    assert not ON_REPLY.keys() & ON_RELEASE.keys()


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_attack_is_caught_by_its_rule_and_by_no_other(rule: Rule) -> None:
    attack = load(ATTACKS / f"{rule.name}.heap")
    outcome = script.check(attack)
    assert outcome.failures == []
    assert outcome.unclaimed == []
    assert [finding.rule for finding in outcome.acceptor.violations] == [rule]
    arguments = attack.settings.arguments()
    whole = contract(str(arguments.pop("standard")))
    assert rule.name in whole.rules
    others = replace(whole, rules={name: other for name, other in whole.rules.items() if other is not rule})
    assert Acceptor(others, **arguments).tally.keys() == whole.rules.keys() - {rule.name}  # type: ignore[arg-type]
    spared = accept(outcome.events, Acceptor(others, **arguments))  # type: ignore[arg-type]
    assert spared.violations == []


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_fast_loop_catches_the_attack(rule: Rule) -> None:
    attack = load(ATTACKS / f"{rule.name}.heap")
    arguments = attack.settings.arguments()
    acceptor = accept(script.to_events(attack), Acceptor(**arguments))  # type: ignore[arg-type]
    assert [finding.rule for finding in acceptor.violations] == [rule]


@pytest.mark.parametrize("kind", MISUSES)
def test_misuse_is_charged_to_the_client_alone(kind: str) -> None:
    outcome = script.check(load(MISUSE_SCRIPTS / f"{kind}.heap"))
    assert outcome.failures == []
    assert outcome.unclaimed == []
    assert {misuse.kind for misuse in outcome.acceptor.misuses} == {kind}
    assert outcome.acceptor.violations == []


def test_the_client_rules_are_the_kinds_of_misuse() -> None:
    assert set(MISUSES) == MISUSE_KINDS
    with pytest.raises(ValueError, match=r"^misuse kind 'leak' is none of double-free, interior-free, "):
        Misuse("leak", "")


@pytest.mark.parametrize("rule", [*RULES.values(), *MISUSES.values()], ids=lambda rule: rule.name)
def test_rule_is_one_sentence_with_a_source(rule: Rule) -> None:
    assert rule.sentence.endswith(".")
    assert rule.sources
    assert rule.standards <= {*STANDARDS, PROMISE, "cheri"}


def test_a_finding_cites_the_most_particular_standard_chosen() -> None:
    rule = RULES["calloc-zeroes"]
    assert contract("c17").clause(rule) == "ISO C17 7.22.3.2 p2"
    assert contract("c17,posix").clause(rule) == "POSIX.1-2024 calloc(), DESCRIPTION"
    assert contract("c17").clause(RULES["misuse-caught"]) == "the allocator counts the misuse it reports"


def test_standards_combine_in_any_order() -> None:
    assert contract("posix, c23") == contract("c23,posix")
    both = contract("c23,c17")
    assert both.fundamental(1) == 16
    assert not both.names_errors
    assert contract("c17,posix").realloc_zero is ReallocZero.EINVAL
    assert contract("glibc,posix").realloc_zero is ReallocZero.FREES


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("c99", "standard 'c99' is unknown; known are c17, c23, posix, glibc, alone or joined by commas"),
        ("c17,musl", "standard 'musl' is unknown; known are c17, c23, posix, glibc, alone or joined by commas"),
        ("", "no standard is named; known are c17, c23, posix, glibc, alone or joined by commas"),
    ],
)
def test_unknown_standard_is_refused_with_the_known_ones(names: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        contract(names)
    assert str(caught.value) == message


def test_violation_survives_a_copy_between_processes() -> None:
    violation = Violation(RULES["result-disjoint"], "somewhere", after_misuse=3)
    again = pickle.loads(pickle.dumps(violation))
    assert (str(again), again.rule, again.after_misuse) == (str(violation), violation.rule, 3)


def table() -> str:
    """The table of docs/contract.md, from the rules themselves."""
    lines = ["| Rule | What must hold | c17 | c23 | posix | glibc | Sources |", "|---|---|---|---|---|---|---|"]
    for rule in RULES.values():
        marks = " | ".join("x" if {name, PROMISE} & rule.standards else "" for name in STANDARDS)
        lines.append(f"| `{rule.name}` | {rule.sentence} | {marks} | {rule.source} |")
    lines += ["", "| Misuse | What the client must do | Sources |", "|---|---|---|"]
    lines += [f"| `{rule.name}` | {rule.sentence} | {rule.source} |" for rule in MISUSES.values()]
    return "\n".join(lines)


def test_docs_list_the_rules_as_they_are() -> None:
    text = (ROOT / "docs" / "contract.md").read_text()
    found = text.split("<!-- rules -->\n")[1].split("\n<!-- end of rules -->")[0]
    assert found == table(), f"docs/contract.md should say:\n{table()}"
