"""Guards that are drawn: those of the core, where they are, and a word on the page where nothing tells of any."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from m4alloc.lib import lib
from m4alloc.strategy import Strategy
from m4alloc.view.explorer import build_guards
from m4alloc.view.explorer.build import life_of
from m4alloc.view.explorer.build_columns import columns_of_events
from m4alloc.view.explorer.build_guards import MOST, guarded
from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.run import view
from m4alloc.view.explorer.sources import Asked, read
from m4alloc.view.explorer.sources_problem import ViewError
from spec.event import Event, Function

# Allocates on the core what it is told to, and says where; then says which of the addresses it is asked for are closed.
CHILD = """
import ctypes, os, sys
c = ctypes.CDLL(None)
for name in ("malloc", "malloc_usable_size"):
    getattr(c, name).restype, getattr(c, name).argtypes = ctypes.c_size_t, [ctypes.c_size_t]
c.aligned_alloc.restype, c.aligned_alloc.argtypes = ctypes.c_size_t, [ctypes.c_size_t, ctypes.c_size_t]
for word in sys.stdin.readline().split():
    alignment, size = map(int, word.split("/"))
    at = c.aligned_alloc(alignment, size) if alignment else c.malloc(size)
    print(at, c.malloc_usable_size(at))
print("end", flush=True)
c.write.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_size_t]
pipe = os.pipe()[1]
closed = lambda at: c.write(pipe, at, 1) < 0  # EFAULT: the kernel may not read it either
print(*(int(closed(int(word))) for word in sys.stdin.readline().split()), flush=True)
"""


def on_the_core(strategy: Strategy, sizes: list[tuple[int, int]]) -> tuple[Life, set[int], set[int]]:
    """The life of (alignment, size) requests on the core, and which ends of its guards are closed and open."""
    env = os.environ | {"LD_PRELOAD": str(lib()), "M4ALLOC_STRATEGY": strategy.to_environment()}
    words = [sys.executable, "-c", CHILD]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        print(*(f"{alignment}/{size}" for alignment, size in sizes), file=child.stdin, flush=True)
        events = []
        for alignment, size in sizes:
            at, usable = map(int, child.stdout.readline().split())
            function = Function.ALIGNED_ALLOC if alignment else Function.MALLOC
            events.append(Event(function, size=size, alignment=alignment, result=at, usable=usable))
        assert child.stdout.readline() == "end\n"
        life = guarded(life_of(columns_of_events(events), title="", allocator="m4alloc"), strategy)
        ends = [place for one in life.guards for place in (one.base, one.base + one.length - 1)]
        print(*ends, file=child.stdin, flush=True)
        told = child.stdout.readline().split()
    assert len(told) == len(ends)
    closed = {place for place, flag in zip(ends, told, strict=True) if flag == "1"}
    return life, closed, {*ends} - closed


def test_guards_of_large_blocks_and_blocks_of_nothing_are_closed_on_the_core() -> None:
    sizes = [(0, 40_000), (0, 100), (0, 65_536), (65_536, 50_000), (0, 0)]
    life, closed, opened = on_the_core(Strategy(guards=True), sizes)
    assert not opened
    # Two pages round each plain block, one behind the aligned one, the slot of the empty one.
    assert [one.length for one in life.guards].count(4096) == 5 and len(life.guards) == 6
    assert len(closed) == 12 and life.guard_note == ""


def test_under_canaries_large_blocks_have_their_guards_where_they_are() -> None:
    life, _, opened = on_the_core(Strategy(guards=True, canaries=True), [(0, 32_768), (0, 32_000), (0, 90_001)])
    assert not opened
    assert len(life.guards) == 4, "a canary makes 32,768 bytes a large block"


def test_pages_beside_samples_are_closed_on_the_core() -> None:
    life, closed, opened = on_the_core(
        Strategy(sample_rate=5, sample_slots=4096), [(0, 100 + 7 * n) for n in range(60)]
    )
    assert closed and not opened
    assert len(life.guards) >= 4


def test_of_very_many_guards_the_first_are_drawn_and_the_page_says_so() -> None:
    events = [Event(Function.MALLOC, size=40_000, result=0x100000 + 0x10000 * n, usable=40_960) for n in range(MOST)]
    life = guarded(life_of(columns_of_events(events), title="", allocator=""), Strategy(guards=True))
    assert len(life.guards) == MOST
    assert life.guard_note == "Of 4,000 guards the first 2,000 are drawn."


def test_guards_whose_places_nobody_tells_are_named() -> None:
    events = [Event(Function.MALLOC, size=24, result=0x1000, usable=32)]
    life = life_of(columns_of_events(events), title="", allocator="")
    assert "16 slabs is followed by 64 KiB" in guarded(life, Strategy(guard_slabs=16)).guard_note
    assert "canaries" in guarded(life, Strategy(sample_rate=8, canaries=True)).guard_note
    assert guarded(life, Strategy()).guard_note.startswith("There are no guard pages")


def only(path: Path, **asked: object) -> Life:
    lives = read(path, Asked(**asked))  # type: ignore[arg-type]
    assert isinstance(lives, list)
    return lives[0]


def test_every_source_says_why_there_are_no_guards(tmp_path: Path) -> None:
    bare, told, log = tmp_path / "bare.heap", tmp_path / "told.heap", tmp_path / "log.csv"
    bare.write_text("a = malloc 64\nfree a\n")
    told.write_text("a = malloc 64 -> 0x1000 usable 64\nfree a\n")
    log.write_text("function,address,size,result\nmalloc,,64,0x1000\n")
    assert only(bare).guard_note == build_guards.NONE
    assert only(bare, architectures=("mte",)).guard_note == build_guards.NONE
    assert "a script tells of none" in only(told).guard_note
    assert "a recording tells of none" in only(log).guard_note
    assert "the allocator tells of none" in only(bare, allocators=("system",)).guard_note
    assert "the allocator tells of none" in only(log, allocators=("system",)).guard_note
    assert only(log, allocators=("reference",)).guard_note == build_guards.NONE


def test_requests_made_again_on_a_strategy_have_its_guards(tmp_path: Path) -> None:
    script, table = tmp_path / "large.heap", tmp_path / "large.csv"
    script.write_text("a = malloc 50000\nb = malloc 8\nfree a\n")
    table.write_text("function,address,size,result\nmalloc,,50000,0x1000\nmalloc,,8,0x100000\n")
    for path in (script, table):
        life = only(path, allocators=("m4alloc",), strategy=Strategy(guards=True))
        base = int(life.blocks.base[0])
        assert {one.base for one in life.guards} == {base - 4096, base + 53_248}, path
        assert only(path, allocators=("m4alloc",)).guards == ()


def test_a_strategy_without_the_core_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "x.heap"
    script.write_text("a = malloc 50000\n")
    for asked in ({}, {"allocators": ["system"]}, {"architectures": ["mte"]}):
        with pytest.raises(ViewError, match="--strategy is the core's"):
            view(script, output=None, strategy=Strategy(), **asked)  # type: ignore[arg-type]
    with pytest.raises(ViewError, match="--strategy is the core's"):
        view(attack="double-free", output=None, strategy=Strategy())
