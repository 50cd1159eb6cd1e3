"""Attacks as lives: one run, each step an event and a mark, with the verdict of the catalogue."""

from __future__ import annotations

import pytest

from m4alloc.view.explorer.decode import decode
from m4alloc.view.explorer.encode import encode
from m4alloc.view.explorer.sources_attack import life_of_attack
from m4alloc.view.explorer.sources_problem import ViewError
from spec.attack import CATALOGUE, DEFENCES, tell, verdict
from spec.attacks.verdict import Outcome
from tests.m4alloc.view.explorer.lives_for_tests import differences

DRAWN = ("flat", "morello-deferred", "sgx-pages", "mte-async")


@pytest.mark.parametrize("defence", DRAWN)
def test_every_attack_is_drawn_as_its_story_is_told(defence: str) -> None:
    for name in list(CATALOGUE)[DRAWN.index(defence) :: 3]:
        if not verdict(name, defence).applies:
            continue
        life, story = life_of_attack(name, defence), tell(name, defence)
        steps = [mark for mark in life.marks if mark.kind == "attack"]
        assert [mark.name for mark in steps] == [f"step {line.step}: {line.text}" for line in story.lines]
        missed = any(mark.kind == "missed" for mark in life.marks)
        assert missed == (story.outcome in (Outcome.MISSED, Outcome.LATE))
        caught = any(mark.kind in ("fault", "misuse") for mark in life.marks)
        assert caught == (story.outcome in (Outcome.CAUGHT, Outcome.LATE))
        assert story.ending[1:] in life.sentence
        assert max(life.script_lines) == len(story.lines)
        assert differences(life, decode(encode(life))) == []


def test_the_stopped_step_frees_nothing() -> None:
    life = life_of_attack("double-free-after-reuse", "morello")  # the stale pointer is found out
    assert life.events.flags[3] & 2
    assert life.blocks.died[1] == len(life.events)
    assert [mark.kind for mark in life.marks if mark.event == 3] == ["attack", "fault"]


def test_a_block_that_is_churned_is_a_block_each_time() -> None:
    life = life_of_attack("tag-wrap-around", "mte-partition_alloc")
    assert len(life.blocks) > 10
    assert len(set(life.blocks.base.tolist())) == 1
    assert len(life.retags) == len([event for event in life.events.function.tolist() if event == 5])


def test_messages_name_events_and_blocks_as_the_page_does() -> None:
    (mark,) = [mark for mark in life_of_attack("double-free", "flat").marks if mark.kind == "misuse"]
    assert mark.reason.startswith("free(0x10000) at event 3 names the start of block #1 (64 bytes")


def test_another_seed_draws_other_tags() -> None:
    tags = {tuple(life_of_attack("use-after-reuse-read", "mte-random", seed).blocks.tag.tolist()) for seed in range(6)}
    assert len(tags) > 2


@pytest.mark.parametrize(
    ("name", "on", "message"),
    [
        ("doublefree", "flat", "no attack is called 'doublefree'; did you mean double-free"),
        ("rowhammer", "flat", "no attack is called 'rowhammer'"),
        ("double-free", "vax", "no architecture or defence is called 'vax'; known are "),
        ("tag-guess", "morello", "tag-guess means nothing on morello: pointers carry no tag that is a number"),
    ],
)
def test_what_there_is_not_is_said(name: str, on: str, message: str) -> None:
    with pytest.raises(ViewError, match=message):
        life_of_attack(name, on)


def test_every_defence_can_be_drawn() -> None:
    for name in DEFENCES:
        assert life_of_attack("use-after-free-write", name).blocks.born.tolist()[0] == 0


def test_an_access_is_about_the_block_that_its_pointer_was_made_for() -> None:
    life = life_of_attack("use-after-reuse-write", "mte")
    assert life.events.block.tolist()[-1] == 0, "the pointer of step 1, though the bytes are another block's"
    assert life.blocks.base[0] == life.blocks.base[1]
    assert next(mark for mark in life.marks if mark.kind == "fault").block == 0
