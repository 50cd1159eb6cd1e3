"""Scripts on the reference allocator over protected machines, as they tell themselves, and on libraries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.sources_problem import ViewError
from m4alloc.view.explorer.sources_script import defence_of, life_of_script
from spec.script import parse
from tests.m4alloc.view.explorer.lives_for_tests import SCRIPTS, script_lives

STALE = "a = malloc 64\nfree a\nb = malloc 64\nstore a 0 8\nload b 0 8"


def on(architecture: str, text: str = STALE) -> Life:
    return life_of_script(parse(text), text=text, title="t", architecture=architecture)


def faults(life: Life) -> list[tuple[int, str]]:
    return [(mark.event, mark.name) for mark in life.marks if mark.kind == "fault"]


@pytest.mark.parametrize(
    ("architecture", "granule", "fault"),
    [
        ("mte", 16, "tag mismatch fault"),
        ("adi-precise", 64, "version mismatch fault"),
        ("morello", 0, "tag fault"),
        ("cheriot", 0, "tag fault"),
    ],
)
def test_a_pointer_to_a_block_that_is_no_more_is_refused(architecture: str, granule: int, fault: str) -> None:
    life = on(architecture)
    assert faults(life) == [(3, fault)]
    assert life.granule == granule
    assert life.protection == defence_of(architecture).name
    assert life.sentence.endswith("The hardware refused 1 of the accesses.")
    assert life.blocks.base[0] == life.blocks.base[1]
    assert life.events.flags[3] & 2


def test_without_protection_nothing_is_refused() -> None:
    life = on("none")
    assert (faults(life), life.protection, life.granule, life.retags) == ([], "none", 0, ())
    assert (life.blocks.tag == -1).all()


def test_tags_are_those_of_the_pointers_and_freed_granules_are_tagged_anew() -> None:
    life = on("mte")
    (retag,) = life.retags
    assert (retag.event, retag.address, retag.length) == (1, life.blocks.base[0], 64)
    assert retag.tag not in (-1, life.blocks.tag[0])
    assert life.blocks.tag[0] != life.blocks.tag[1]


def test_bounds_are_those_of_the_capability() -> None:
    life = on("morello", "a = malloc 100000\nb = malloc 8")
    assert (life.blocks.low == life.blocks.base).all()
    assert (life.blocks.high == life.blocks.base + life.blocks.usable).all()


def test_a_fault_that_is_told_late_is_marked_and_the_access_was_made() -> None:
    life = on("mte-async")
    assert faults(life) == [(3, "tag mismatch fault")]
    assert not life.events.flags[3] & 2


def test_bytes_are_reusable_when_the_quarantine_lets_them_go() -> None:
    text = "\n".join([*(f"b{n} = malloc 24" for n in range(10)), *(f"free b{n}" for n in range(10))])
    life = on("flat-quarantine", text)
    assert life.blocks.died.tolist() == list(range(10, 20))
    assert life.blocks.reusable.tolist() == [18, 19, *[20] * 8]  # each sits out eight others


def test_bytes_are_reusable_at_once_where_nothing_holds_them_back() -> None:
    assert on("none").blocks.reusable.tolist() == on("none").blocks.died.tolist()


@given(script_lives())
def test_every_line_of_the_script_that_calls_is_an_event(life: Life) -> None:
    assert len(life.script_lines) == len(life.events)
    assert all(1 <= line <= len(life.script) for line in life.script_lines)
    blocks = life.blocks
    assert (blocks.reusable >= blocks.died).all()
    bound = blocks.high > blocks.low
    assert (blocks.low[bound] <= blocks.base[bound]).all()
    assert (blocks.high[bound] >= (blocks.base + blocks.size)[bound]).all()


def test_a_script_with_replies_is_drawn_as_it_is_and_run_where_one_asks_for_it() -> None:
    text = "a = malloc 24 -> 0x7000\nfree a"
    assert on("", text).blocks.base.tolist() == [0x7000]
    assert on("", text).allocator == "as the script tells it"
    assert on("none", text).blocks.base.tolist() == [0x10000]


def test_a_repeat_is_carried_out_and_its_lines_come_again() -> None:
    life = on("none", "label repeat size 3\na = malloc 8\nfree a\nlabel end-repeat")
    assert life.script_lines == (2, 3) * 3
    assert len(life.blocks) == 3


def test_a_library_is_driven_and_what_ends_it_ends_the_history() -> None:
    life = life_of_script(parse(STALE), text=STALE, title="t", allocator="system")
    assert life.allocator == "system malloc"
    assert len(life.events) == 5
    crash = "a = malloc 24\nfree a\nfree a\nb = malloc 24"
    ended = life_of_script(parse(crash), text=crash, title="t", allocator="system")
    assert "SIGABRT" in ended.end
    assert [mark.name for mark in ended.marks if mark.kind == "misuse"] == ["double-free"]


def test_an_access_is_drawn_as_the_script_has_it_though_the_driver_accesses_whole_blocks() -> None:
    text = "a = malloc 24\nstore a 0 8\nload a 16 8\nfill a 7"
    for library in ("m4alloc", "system"):
        life = life_of_script(parse(text), text=text, title="t", allocator=library)
        assert life.events.size.tolist() == [24, 8, 8, 24], library
        assert life.events.offset.tolist() == [0, 0, 16, 0]
        assert life.marks == (), library


def test_an_access_is_about_the_block_that_its_pointer_was_made_for() -> None:
    for architecture in ("mte", "none", "morello"):
        life = on(architecture)
        assert life.events.block.tolist() == [0, 0, 1, 0, 1], architecture
        assert all(mark.block == 0 for mark in life.marks), architecture
    over = on("none", "a = malloc 16\nb = malloc 16\nstore a 16 8")
    assert (over.events.block[2], over.events.offset[2]) == (0, 16)
    told = on("", "a = malloc 24 -> 0x7000\nfree a\nb = malloc 24 -> 0x7000\nload a 4 1")
    assert (told.events.block[3], told.events.offset[3]) == (0, 4)


def test_an_access_that_the_hardware_refused_changes_no_property() -> None:
    life = on("mte", "a = malloc 64\nb = malloc 64\nstore a 64 8")
    assert faults(life) == [(2, "tag mismatch fault")]
    assert not any(mark.kind == "property" for mark in life.marks)
    assert not any(event == 2 for one in life.properties for event, _, _ in one.changes)


def test_more_steps_than_are_drawn_are_said_to_be_left_out() -> None:
    text = "\n".join(f"b{n} = malloc 8" for n in range(30))
    for replies in (False, True):
        script = parse("\n".join(f"b{n} = malloc 8 -> {0x1000 + 64 * n}" for n in range(30)) if replies else text)
        life = life_of_script(script, text=text, title="t", limit=10)
        assert (len(life.events), life.left_out) == (10, "Only the first 10 steps are drawn.")
        whole = life_of_script(script, text=text, title="t", limit=30)
        assert (len(whole.events), whole.left_out) == (30, "")


@pytest.mark.parametrize("architecture", ["none", "mte", "adi", "cheri"])
def test_the_reference_allocator_breaks_no_rule_whatever_the_program_does(architecture: str) -> None:
    scripts = sorted((SCRIPTS / "misuse").glob("*.heap"))
    assert len(scripts) > 5
    for path in scripts:
        life = on(architecture, path.read_text("utf-8"))
        assert [mark.name for mark in life.marks if mark.kind == "violation"] == [], path.name


@given(script_lives())
def test_no_random_script_has_it_break_a_rule(life: Life) -> None:
    assert [mark.reason for mark in life.marks if mark.kind == "violation"] == []


def test_an_architecture_that_there_is_not_is_named_with_those_there_are() -> None:
    with pytest.raises(ViewError, match="no architecture or defence is called 'vax'; known are none, mte, adi"):
        on("vax")


def test_a_script_of_no_block_is_drawn() -> None:
    life = on("none", "free NULL")
    assert (len(life.events), len(life.blocks)) == (1, 0)
    assert np.array_equal(life.events.block, [-1])
