from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from spec.ltl.parser import parse
from spec.model.execution import Execution
from spec.model.options import MEANING, RULES, Option, OptionError, find, refuse, table
from spec.model.search import check
from tests.spec.model.programs import counters

DOCS = Path(__file__).parents[3] / "docs" / "model-checking.md"


def test_a_pair_of_options_has_one_rule_at_most_and_each_option_a_meaning() -> None:
    pairs = [frozenset({rule.first, rule.second}) for rule in RULES]
    assert len(set(pairs)) == len(pairs)
    assert MEANING.keys() == set(Option)


@pytest.mark.parametrize("pair", list(combinations(Option, 2)))
def test_a_pair_is_refused_exactly_when_the_table_says_no(pair: tuple[Option, Option]) -> None:
    rule = find(*pair)
    if rule is None or rule.allowed:
        refuse(pair)
    else:
        with pytest.raises(OptionError, match=re.escape(f"{rule.first} with {rule.second} is refused: {rule.reason}")):
            refuse(pair)


ASKED = {
    Option.BREADTH: {"engine": "breadth"},
    Option.NESTED: {"engine": "nested"},
    Option.SCC: {"engine": "scc"},
    Option.FAIRNESS: {"fairness": True},
    Option.REDUCTION: {"reduction": True},
    Option.SYMMETRY: {"symmetry": True},
    Option.COMPACTION: {"compaction": 8},
}


@pytest.mark.parametrize("pair", [pair for pair in combinations(ASKED, 2) if "engine" not in ASKED[pair[1]]])
def test_a_search_refuses_what_the_table_refuses(pair: tuple[Option, Option]) -> None:
    asked = {**ASKED[pair[0]], **ASKED[pair[1]]}
    # Liveness, so that fairness counts; where breadth-first search has to be asked for, safety, which it can do.
    formula = parse("[]!some" if Option.BREADTH in pair else "[]<>some")
    rule = find(*pair)

    def search() -> None:
        check(Execution(counters(2)), formula, **asked)  # type: ignore[arg-type]

    if rule is None or rule.allowed:
        search()
    else:
        with pytest.raises(OptionError, match="is refused"):
            search()


def test_the_table_in_the_documentation_is_the_one_in_the_code() -> None:
    assert table() in DOCS.read_text(encoding="utf-8")
