"""Tests of m4alloc.superopt.mcmc beyond what test_searches.py asks of every search."""

from __future__ import annotations

import pytest

from m4alloc.superopt.mcmc import Mcmc, can_be_made, live_size
from m4alloc.superopt.parse import parse_function
from tests.m4alloc.superopt.rewriting_cases import LOWEST, PARTS, judge


@pytest.mark.campaign
def test_synthesis_finds_what_no_path_downhill_leads_to() -> None:
    found = []
    for seed in range(6):
        asked = judge(LOWEST, 5000)
        Mcmc().run(asked, seed)
        found.append(asked.best.cost.ir)
        if found[-1] == 2:
            break
    assert min(found) == 2


def test_a_function_that_stores_is_not_made_anew() -> None:
    storing = parse_function("define void @f(ptr %p, i8 %x) { store i8 %x, ptr %p ret void }")
    assert not can_be_made(storing) and can_be_made(parse_function(PARTS))


def test_only_what_something_depends_on_counts() -> None:
    body = "%a = add i8 %x, 1 %b = mul i8 %a, 3 %c = mul i8 %x, 9 store i8 %b, ptr %p ret i8 %a"
    assert live_size(parse_function(f"define i8 @f(ptr %p, i8 %x) {{ {body} }}")) == 3
