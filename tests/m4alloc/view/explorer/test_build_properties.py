"""Properties over a life: states in words, changes at their blocks, marks where one is violated for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.view.explorer.build_properties import _named
from m4alloc.view.explorer.life import Life, PropertyLife
from m4alloc.view.explorer.sources_script import life_of_script
from spec.ltl.monitor import monitor
from spec.properties import PROPERTIES, Property
from spec.script import parse
from tests.m4alloc.view.explorer.lives_for_tests import SCRIPTS, life_in


def told(text: str) -> Life:
    return life_of_script(parse(text), text=text, title="t")


def states(life: Life, name: str) -> list[tuple[int, int, str]]:
    found: PropertyLife = next(one for one in life.properties if one.name == name)
    return [(event, block, found.states[state]) for event, block, state in found.changes]


def test_the_states_of_a_block_are_told_in_words_at_the_events_that_change_them() -> None:
    life = told("a = malloc 24 -> 0x1000\nload a 0 8\nfree a\nload a 0 8")
    assert states(life, "access-only-while-allocated") == [
        (0, 0, "allocated"),
        (2, 0, "not allocated: an access violates"),
        (3, 0, "violated"),
    ]
    assert [(mark.event, mark.block, mark.name) for mark in life.marks if mark.kind == "property"] == [
        (3, 0, "access-only-while-allocated")
    ]


def test_a_mark_gives_the_sentence_and_the_formula_apart() -> None:
    life = told("a = malloc 24 -> 0x1000\nfree a\nfree a")
    (mark,) = (mark for mark in life.marks if mark.kind == "property")
    assert mark.reason == "Violated from here on: Only what was handed out is freed, and only once."
    assert mark.claim == "(!free W malloc) && [](free -> X(!free W malloc))"


def test_a_realloc_that_moves_frees_the_old_block_and_hands_out_the_new() -> None:
    life = told("a = malloc 24 -> 0x1000\na = realloc a 99 -> 0x2000\nfree a")
    assert states(life, "freed-eventually") == [
        (0, 0, "allocated: owes a free"),
        (1, 0, "not allocated"),
        (1, 1, "allocated: owes a free"),
        (2, 1, "not allocated"),
    ]


def test_a_block_resized_in_place_goes_on_in_the_state_of_its_origin() -> None:
    life = told("a = malloc 24 -> 0x1000\na = realloc a 30 -> 0x1000")
    assert states(life, "freed-eventually") == [
        (0, 0, "allocated: owes a free"),
        (1, 1, "allocated: owes a free"),
    ]


def test_what_there_is_no_evidence_of_is_not_followed() -> None:
    life = told("a = malloc 24 -> 0x1000\nfree a")
    assert {one.name for one in life.properties} == {"freed-eventually", "no-double-free", "no-double-allocation"}


def test_of_a_long_history_the_blocks_with_findings_are_followed(tmp_path: Path) -> None:
    lines = [f"b{n} = malloc 16 -> {0x100000 + 32 * n:#x}" for n in range(20_100)]
    path = tmp_path / "long.csv"
    from m4alloc.trace.formats import convert

    script = tmp_path / "long.heap"
    script.write_text("\n".join([*lines, "free b7", "free b7"]), encoding="utf-8")
    convert(script, path)
    life = life_in(path)
    assert [(mark.kind, mark.name, mark.block) for mark in life.marks] == [
        ("misuse", "double-free", 7),
        ("property", "no-double-free", 7),
    ]
    assert {block for one in life.properties for _, block, _ in one.changes} == {7}


@pytest.mark.parametrize("one", [one for one in PROPERTIES if one.name != "published"], ids=lambda one: one.name)
def test_every_state_of_the_librarys_monitors_has_a_name_of_its_own(one: Property) -> None:
    order, names = _named(monitor(one.formula))
    assert len(names) == len(set(names)) == len(order)
    assert "violated" not in names[:-1]


def test_every_script_can_be_followed() -> None:
    for path in SCRIPTS.rglob("*.heap"):
        life = life_in(path)
        for one in life.properties:
            assert all(0 <= state < len(one.states) for _, _, state in one.changes)
            assert [event for event, _, _ in one.changes] == sorted(event for event, _, _ in one.changes)
