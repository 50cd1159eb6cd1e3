"""The figures of the chapter on strategies say what the tuner says."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("numba")

from docs import figures_strategy
from m4alloc.strategy import Strategy
from m4alloc.tune.evaluate import Scored
from m4alloc.tune.security import Floor
from m4alloc.view.svg import Element


def texts(picture: Element) -> list[str]:
    """Every line of text in a picture, in order."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.write())


def test_half_of_the_memory_is_free_and_nothing_of_a_quarter_is() -> None:
    heap, free, refused = figures_strategy.holes()
    assert sum(top - base for base, top in free) == figures_strategy.CAPACITY // 2
    assert refused == 0
    assert len(heap.heap.live) == 4
    assert texts(figures_strategy.fragments()).count("free") == 4


def test_each_program_has_a_curve_and_the_defaults_ring() -> None:
    drawn = figures_strategy.classes().write()
    assert drawn.count("<circle") == len(figures_strategy.PROGRAMS) + 1
    assert [name for name, _, _ in figures_strategy.PROGRAMS if name not in drawn] == []


def test_a_longer_wait_is_drawn_higher() -> None:
    paths = re.findall(r'<path d="M([^"]*)" fill="none"', figures_strategy.waiting().write())
    heights = [[float(step.split()[1]) for step in path.split("L")] for path in paths]
    assert heights
    assert all(one == sorted(one, reverse=True) for one in heights)


def test_no_candidate_on_the_front_is_beaten_and_none_is_below_the_floor() -> None:
    found = figures_strategy.campaign()
    assert [one for one in found.evaluations if not Floor.of("default").admits(one.strategy)] == []
    assert found.evaluations[0].strategy == Strategy()
    drawn = figures_strategy.front().write()
    assert drawn.count('r="4"') - 1 == len(_edge(found.evaluations))
    assert f"{len(found.evaluations)} candidates," in texts(figures_strategy.front())


def _edge(evaluations: list[Scored]) -> list[object]:
    """Those that none beats in time and memory, by comparing each with each."""
    seen = [(one.objectives.time, one.objectives.memory) for one in evaluations]
    return [
        one for one in seen if not any(other != one and other[0] <= one[0] and other[1] <= one[1] for other in seen)
    ]
