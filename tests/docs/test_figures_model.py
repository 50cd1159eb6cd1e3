"""The figures of the chapter on model checking say what the search says."""

from __future__ import annotations

import re

from docs import figures_model
from m4alloc.view.svg import Element
from spec.ltl.emptiness import nested
from spec.ltl.parser import parse
from spec.model.search import check


def texts(picture: Element) -> list[str]:
    """Every line of text in a picture, in order."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.write())


def test_every_state_of_the_careless_slot_is_drawn_and_one_is_wrong() -> None:
    drawn = figures_model.states()
    numbers = [text.split(":")[0] for text in texts(drawn) if text.endswith((": free", ": taken"))]
    assert sorted(map(int, numbers)) == list(range(check(figures_model.slot(False)).states))
    assert drawn.write().count('stroke-dasharray="4 3"') == 1


def test_a_state_is_as_far_as_the_shortest_run_to_it() -> None:
    result = check(figures_model.slot(False), parse("[]!both"))
    assert result.counterexample is not None
    distances = {state: far for far, row in enumerate(figures_model.levels(figures_model.slot(False))) for state in row}
    states = result.counterexample.states
    assert [distances[state] for state in states] == list(range(len(states)))  # type: ignore[index]


def test_the_written_out_search_finds_what_the_library_finds() -> None:
    _, cycle = figures_model.searched()
    found = nested(figures_model.product())
    assert found is not None
    assert set(cycle) == set(found.cycle)


def test_the_cycle_is_drawn_and_what_was_not_visited_is_told() -> None:
    said = texts(figures_model.nested())
    assert sorted(text for text in said if text.startswith("visited")) == [f"visited {n}" for n in range(1, 6)]
    assert said.count("not visited") == 1


def test_the_run_without_a_lock_hands_out_the_block_twice() -> None:
    drawn = figures_model.missing_lock().write()
    assert drawn.count("malloc&amp;mem_allocate_end") == 2
