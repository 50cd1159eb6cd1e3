"""A function's part of the report survives JSON."""

from __future__ import annotations

import json

import pytest

from m4alloc.superopt.report_json import rewritten_json, rewritten_of
from tests.m4alloc.superopt.report_cases import report


@pytest.mark.parametrize("place", range(4))
def test_what_is_read_back_tells_the_same(place: int) -> None:
    one = report().functions[place]
    told = json.loads(json.dumps(rewritten_json(one)))
    again = rewritten_of(told, one.before, "x86-64", "ir")
    assert rewritten_json(again) == told
    assert (again.after, again.verdict.outcome, again.measured) == (one.after, one.verdict.outcome, one.measured)


def test_what_is_no_report_is_refused() -> None:
    one = report().functions[0]
    with pytest.raises(KeyError):
        rewritten_of({"measured": None, "improved": False}, one.before, "x86-64", "ir")
