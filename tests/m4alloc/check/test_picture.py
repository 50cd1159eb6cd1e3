"""The scene of a finding holds the heap as it was when the call was made."""

from __future__ import annotations

import pytest

from m4alloc.check.picture import scene, svg_of, text_of
from m4alloc.view.scene import Scene, State
from spec.script import parse

CASES = {
    "result-disjoint": "a = malloc 24 -> 0x1000\nb = malloc 24 -> 0x1010",
    "zero-size-distinct": "a = malloc 0 -> 0x1000 usable 0\nb = malloc 0 -> 0x1000 usable 0",
    "result-aligned-fundamental": "a = malloc 24 -> 0x1008",
    "result-aligned-as-requested": "a = memalign 64 24 -> 0x1010",
    "result-contained": "a = malloc 24 -> 0xfffffffffffff0",
    "usable-at-least-requested": "a = malloc 24 -> 0x1000 usable 16",
    "calloc-zeroes": "a = calloc 3 8 -> 0x1000 usable 24 intact 5",
    "realloc-keeps-contents": "a = malloc 24 -> 0x1000\nb = realloc a 64 -> 0x2000 intact 9",
    "realloc-failure-keeps-block": "a = malloc 24 -> 0x1000\nrealloc a 64 -> NULL ENOMEM intact 9",
    "block-keeps-contents": "a = malloc 24 -> 0x1000\nload a 0 24 intact 9",
    "result-non-null-or-enomem": "malloc 24 -> NULL",
    "free-keeps-errno": "given standard posix\na = malloc 24 -> 0x1000\nfree a errno-changed",
    "call-returns": "a = malloc 24 -> 0x1000\nfree a never-returned",
    "block-accessible": "a = malloc 24 -> 0x1000\nload a 0 24 never-returned",
    "quarantine-respected": "given quarantine 2\na = malloc 8 -> 0x1000 usable 8\nfree a\n"
    "b = malloc 8 -> 0x1000 usable 8",
}


@pytest.mark.parametrize("rule", CASES)
def test_each_kind_of_finding_is_drawn(rule: str) -> None:
    script = parse(CASES[rule])
    staged = scene(script)
    assert staged.rule == rule and staged.message and staged.clause
    assert [line.broke for line in staged.lines].count(True) == 1 and staged.lines[-1].broke
    assert f">{rule}</text>" in svg_of(script)
    assert text_of(script)[0].startswith(f"{rule}: ")


def one(staged: Scene, name: str) -> tuple[State, bool]:
    block = next(block for block in staged.blocks if block.name == name)
    return block.state, block.harmed


def test_the_block_that_is_given_up_is_still_there() -> None:
    staged = scene(parse(CASES["realloc-keeps-contents"]))
    assert one(staged, "a") == (State.GIVEN_UP, True)
    assert staged.reply is not None and staged.reply.name == "b"
    assert [(mark.address, mark.text) for mark in staged.marks] == [(0x2009, "byte 9 has changed")]


def test_a_block_in_quarantine_is_harmed_though_it_is_freed() -> None:
    assert one(scene(parse(CASES["quarantine-respected"])), "a") == (State.FREED, True)


def test_a_freed_block_that_a_live_one_covers_is_left_out() -> None:
    text = "a = malloc 24 -> 0x1000\nfree a\nb = malloc 24 -> 0x1000\nc = malloc 24 -> 0x1008"
    staged = scene(parse(text))
    assert [block.name for block in staged.blocks] == ["b"]


def test_the_message_calls_blocks_by_their_names() -> None:
    assert "16 bytes into a (24 bytes at 0x1000)" in scene(parse(CASES["result-disjoint"])).message


def test_misalignment_shows_the_multiples_around_it() -> None:
    marks = scene(parse(CASES["result-aligned-as-requested"])).marks
    assert [mark.address for mark in marks] == [0x1000, 0x1010, 0x1040]
    assert marks[1].text == "16 above a multiple of 64"


def test_the_moment_is_that_of_the_claim_and_not_what_comes_later() -> None:
    text = "a = malloc 24 -> 0x1000\nb = malloc 24 -> 0x1010 ! violates result-disjoint\nfree b\nc = malloc 8 -> 0x3000"
    staged = scene(parse(text))
    assert [block.name for block in staged.blocks] == ["a"] and len(staged.lines) == 2


def test_calls_that_overlap_are_judged_in_their_order() -> None:
    text = "a = malloc 24 -> 0x1000\n@1 [1..4] free a\n@2 [2..3] b = malloc 24 -> 0x1000\n"
    text += "@2 [5..6] c = malloc 24 -> 0x1010"
    staged = scene(parse(text))
    assert one(staged, "b") == (State.LIVE, True) and staged.call == "@2 c = malloc 24"


def test_a_script_that_breaks_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no violation to draw"):
        scene(parse("a = malloc 24 -> 0x1000"))
