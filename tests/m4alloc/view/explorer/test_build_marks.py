"""Marks: what the specification finds stands at its event, and names events and blocks as the page does."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.check.progress import Silent
from m4alloc.trace.write import write
from m4alloc.view.explorer.build_marks import KEPT
from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.sources_trace import life_of_trace
from spec.event import Event, Function
from spec.script import parse, to_events
from tests.m4alloc.view.explorer.lives_for_tests import SCRIPTS, life_in

MISUSE = sorted((SCRIPTS / "misuse").glob("*.heap"))
RULES = sorted((SCRIPTS / "rules").glob("*.heap"))


def recorded(events: list[Event], path: Path) -> Life:
    write(path, events)
    return life_of_trace(path, limit=10_000, progress=Silent())


@pytest.mark.parametrize("path", [*MISUSE, *RULES], ids=lambda path: path.stem)
def test_what_a_script_claims_is_marked_where_it_claims_it(path: Path) -> None:
    script = parse(path.read_text(encoding="utf-8"))
    claimed = {
        (step.line, claim.kind.replace("violates", "violation"), claim.words[0])
        for step in script.steps
        for claim in step.claims
        if claim.kind in ("misuse", "violates")
    }
    life = life_in(path)
    marked = {
        (life.script_lines[mark.event], mark.kind, mark.name)
        for mark in life.marks
        if mark.kind in ("misuse", "violation")
    }
    assert marked == claimed


def test_a_trace_is_marked_as_its_script_is(tmp_path: Path) -> None:
    path = SCRIPTS / "misuse" / "use-after-free.heap"
    told = life_in(path)
    life = recorded(to_events(parse(path.read_text(encoding="utf-8"))), tmp_path / "x.m4t")
    assert [mark for mark in life.marks if mark.kind == "misuse"] == [
        mark for mark in told.marks if mark.kind == "misuse"
    ]
    assert life.sentence == "The specification (c17,glibc) finds 3 misuses by the program (use-after-free)."


def test_messages_name_events_and_blocks_by_their_places_from_1(tmp_path: Path) -> None:
    begins = [Event(Function.MALLOC, size=8, result=0x2000, begin=11, end=12)]
    begins += [Event(Function.MALLOC, size=24, result=0x1000, begin=13, end=14)]
    begins += [Event(Function.FREE, address=0x1000, begin=15 + 2 * n, end=16 + 2 * n) for n in range(2)]
    (mark,) = [mark for mark in recorded(begins, tmp_path / "x.m4t").marks if mark.kind == "misuse"]
    assert (mark.event, mark.block, mark.address, mark.length) == (3, 1, 0x1000, 24)
    assert mark.reason == "free(0x1000) at event 4 names the start of block #2 (24 bytes at 0x1000), freed at event 3"


def test_more_findings_than_can_be_marked_are_counted(tmp_path: Path) -> None:
    frees = [Event(Function.FREE, address=0x1000) for _ in range(KEPT + 7)]
    life = recorded(frees, tmp_path / "x.m4t")
    assert sum(mark.kind == "misuse" for mark in life.marks) == KEPT
    assert life.sentence == (
        "The specification (c17,glibc) finds 1,000 misuses by the program (invalid-free), "
        "and 7 more that are not marked."
    )


def test_a_mark_is_no_higher_than_what_is_drawn(tmp_path: Path) -> None:
    life = recorded([Event(Function.LOAD, address=(1 << 64) - 1, size=8)], tmp_path / "x.m4t")
    assert [mark.address for mark in life.marks if mark.length] == [1 << 56]
