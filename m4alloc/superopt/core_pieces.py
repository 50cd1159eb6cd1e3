"""Pieces of the core's hot path as LLVM's text: what was written, what is written now, and the facts they rest on.

    python -m m4alloc.superopt.core_pieces [--seconds 30] [--only NAME]

searches each for something cheaper still, and prints how far the search came: docs/superopt-core.md has the table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from m4alloc.superopt.core import alignment_facts, small_fact, states_fact
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.pipeline import Result, superoptimise
from m4alloc.superopt.problem import Budget, Problem
from m4alloc.superopt.verdict import Verdict


@dataclass(frozen=True)
class Piece:
    """A few instructions of the core.

    place: where they are, or were.  before: what the source said.  after: what it says now, "" where nothing cheaper
    was found.  facts: under which `after` is proved, or anything else was looked for.
    """

    name: str
    place: str
    before: str
    after: str = ""
    facts: tuple[Fact, ...] = ()

    @property
    def source(self) -> Function:
        """What the source said."""
        return parse_function(self.before)

    @property
    def target(self) -> Function:
        """What the source says now."""
        return parse_function(self.after or self.before)

    def verdict(self, *, assuming: bool = True, seconds: float = 20.0) -> Verdict:
        """Whether `after` refines `before` under the facts, or (`assuming` False) without any."""
        return refines(self.source, self.target, self.facts if assuming else (), seconds=seconds)

    def searched(self, seconds: float = 30.0) -> Result:
        """What a search finds that is cheaper than what the source says now."""
        return superoptimise(Problem(self.target, self.facts), Budget(seconds))


def _one(name: str, type: str, arguments: str, body: str) -> str:
    return f"define {type} @{name}({arguments}) {{\n{body}\n}}\n"


_STATES = "i64 noundef %states"
_LANES_OF_STATES = """  %less = sub i64 -9187201950435737472, %states
  %lanes = and i64 %less, -9187201950435737472
  ret i64 %lanes"""
_LANES_OF_DIFFERENCE = """  %difference = xor i64 %states, 289360691352306692
  %less = sub i64 -9187201950435737472, %difference
  %lanes = and i64 %less, -9187201950435737472
  ret i64 %lanes"""
_STATES_FACT = (states_fact("states"),)
_LANES_FACTS = (Fact("lanes & 0x7f7f7f7f7f7f7f7f == 0", "core: lanes_in"), Fact("lanes != 0", "core: the loop's test"))

FREE_LANES = Piece(
    "free lanes", "slab.pxd, lanes_in with FREE",
    _one("free_lanes", "i64", _STATES, """  %low = and i64 %states, 9187201950435737471
  %carried = add i64 %low, 9187201950435737471
  %some = or i64 %carried, %states
  %all = or i64 %some, 9187201950435737471
  %lanes = xor i64 %all, -1
  ret i64 %lanes"""),
    _one("free_lanes", "i64", _STATES, _LANES_OF_STATES),
    _STATES_FACT,
)  # fmt: skip
"""The exact test of each byte for 0, as it is written for any bytes (Hacker's Delight, 6-1)."""

REMOTE_LANES = Piece(
    "remote lanes", "slab.pxd, lanes_in with REMOTE",
    _one("remote_lanes", "i64", _STATES, """  %difference = xor i64 %states, 289360691352306692
  %low = and i64 %difference, 9187201950435737471
  %carried = add i64 %low, 9187201950435737471
  %some = or i64 %carried, %difference
  %all = or i64 %some, 9187201950435737471
  %lanes = xor i64 %all, -1
  ret i64 %lanes"""),
    _one("remote_lanes", "i64", _STATES, _LANES_OF_DIFFERENCE),
    _STATES_FACT,
)  # fmt: skip

ANY_FREE = Piece(
    "any free slot", "slab.pxd, has_free_slot until lanes_in took its place",
    _one("any_free", "i1", _STATES, """  %less = sub i64 %states, 72340172838076673
  %not = xor i64 %states, -1
  %borrowed = and i64 %less, %not
  %tops = and i64 %borrowed, -9187201950435737472
  %any = icmp ne i64 %tops, 0
  ret i1 %any"""),
    _one("any_free", "i1", _STATES, """  %less = sub i64 %states, 72340172838076673
  %tops = and i64 %less, -9187201950435737472
  %any = icmp ne i64 %tops, 0
  ret i1 %any"""),
    _STATES_FACT,
)  # fmt: skip
"""Mycroft's test."""

ANY_REMOTE = Piece(
    "any remote free", "remote.pxd, has_byte until lanes_in took its place",
    _one("any_remote", "i1", _STATES, """  %word = xor i64 %states, 289360691352306692
  %less = sub i64 %word, 72340172838076673
  %not = xor i64 %word, -1
  %borrowed = and i64 %less, %not
  %tops = and i64 %borrowed, -9187201950435737472
  %any = icmp ne i64 %tops, 0
  ret i1 %any"""),
    _one("any_remote", "i1", _STATES, """  %word = xor i64 %states, 289360691352306692
  %less = sub i64 %word, 72340172838076673
  %tops = and i64 %less, -9187201950435737472
  %any = icmp ne i64 %tops, 0
  ret i1 %any"""),
    _STATES_FACT,
)  # fmt: skip

ALIGNED = Piece(
    "class is aligned", "size_class.pxd, aligned_class",
    _one("aligned", "i1", "i32 noundef %slot, i64 noundef %alignment", """  %wide = zext i32 %slot to i64
  %rest = urem i64 %wide, %alignment
  %aligned = icmp eq i64 %rest, 0
  ret i1 %aligned"""),
    _one("aligned", "i1", "i32 noundef %slot, i64 noundef %alignment", """  %wide = zext i32 %slot to i64
  %mask = add i64 %alignment, -1
  %rest = and i64 %mask, %wide
  %aligned = icmp eq i64 %rest, 0
  ret i1 %aligned"""),
    alignment_facts(),
)  # fmt: skip
"""One instruction more, and no division: ir counts rank, time decides."""

_LANE_BY_LANE = "\n".join(
    f"  %b{lane} = and i64 %lanes, {0x80 << 8 * lane if lane < 7 else -(1 << 63)}\n  %c{lane} = icmp ne i64 %b{lane}, 0"
    for lane in range(8)
)
_FIRST = "\n".join(
    f"  %s{lane} = select i1 %c{lane}, i64 {lane}, i64 {f'%s{lane + 1}' if lane < 7 else 8}"
    for lane in range(7, -1, -1)
)
_CLEARED = "\n".join(
    f"  %x{lane} = xor i64 %lanes, {0x80 << 8 * lane if lane < 7 else -(1 << 63)}\n"
    f"  %s{lane} = select i1 %c{lane}, i64 %x{lane}, i64 {f'%s{lane + 1}' if lane < 7 else '%lanes'}"
    for lane in range(7, -1, -1)
)

FIRST_LANE = Piece(
    "first lane", "slab.pxd, take_slots; remote.pxd, collect_states",
    _one("first_lane", "i64", "i64 noundef %lanes", f"{_LANE_BY_LANE}\n{_FIRST}\n  ret i64 %s0"),
    _one("first_lane", "i64", "i64 noundef %lanes", """  %bit = call i64 @llvm.cttz.i64(i64 %lanes, i1 true)
  %lane = lshr i64 %bit, 3
  ret i64 %lane"""),
    _LANES_FACTS,
)  # fmt: skip
"""Eight tests in the order of addresses, as the loop over eight bytes made them."""

OTHER_LANES = Piece(
    "other lanes", "slab.pxd, take_slots; remote.pxd, collect_states",
    _one("other_lanes", "i64", "i64 noundef %lanes", f"{_LANE_BY_LANE}\n{_CLEARED}\n  ret i64 %s0"),
    _one("other_lanes", "i64", "i64 noundef %lanes", """  %less = add i64 %lanes, -1
  %others = and i64 %less, %lanes
  ret i64 %others"""),
    _LANES_FACTS,
)  # fmt: skip

ADOPTED = (FREE_LANES, REMOTE_LANES, ALIGNED, FIRST_LANE, OTHER_LANES)
"""What the source says now."""

KEPT = (
    Piece(
        "class index", "size_class.pxd, size_class",
        _one("class_index", "i64", "i64 noundef %size", """  %up = add i64 %size, 15
  %index = lshr i64 %up, 4
  ret i64 %index"""),
        facts=(small_fact(),),
    ),
    Piece(
        "record of a unit", "slot.pxd, record_of: records have 128 bytes",
        _one("record_offset", "i64", "i64 noundef %offset", """  %unit = lshr i64 %offset, 16
  %bytes = shl i64 %unit, 7
  ret i64 %bytes"""),
        facts=(Fact("offset < 1 << 47", "core: user space ends there"),),
    ),
    Piece(
        "address of a unit", "span.pxd, unit_address",
        _one("unit_offset", "i64", "i64 noundef %distance", """  %units = ashr exact i64 %distance, 7
  %bytes = shl i64 %units, 16
  ret i64 %bytes"""),
        facts=(Fact("distance % 128 == 0", "core: size of a record"), Fact("distance < 1 << 40", "core: regions")),
    ),
    Piece(
        "bin of a class", "malloc.pxd, allocate: bins have 64 bytes",
        "define i64 @bin(i8 noundef %c) {\n  %wide = zext i8 %c to i64\n  %bytes = shl i64 %wide, 6\n"
        "  ret i64 %bytes\n}\n",
        facts=(Fact("c <= 65", "core: NO_BIN is the last"),),
    ),
    Piece(
        "time for a tick", "malloc.pxd, release: 1,024 frees of 16 bytes each",
        _one("tick", "i1", "i64 noundef %freed", """  %more = add i64 %freed, 16
  %turn = and i64 %more, 16383
  %due = icmp eq i64 %turn, 0
  ret i1 %due"""),
        facts=(Fact("freed % 16 == 0", "core: Bin.freed counts in Slots"),),
    ),
    Piece(
        "delay place", "malloc.pxd, exchange_delay",
        _one("delay_place", "i64", "i64 noundef %freed, i64 noundef %mask", """  %place = and i64 %freed, %mask
  ret i64 %place"""),
        facts=(Fact("freed % 16 == 0", "core: Bin.freed counts in Slots"),),
    ),
    Piece(
        "round up", "region.pxd, round_up",
        _one("round_up", "i64", "i64 noundef %n, i64 noundef %to", """  %less = add i64 %to, -1
  %up = add i64 %less, %n
  %mask = sub i64 0, %to
  %rounded = and i64 %up, %mask
  ret i64 %rounded"""),
        facts=(Fact("popcount(to) == 1", "core: round_up's contract"),),
    ),
    Piece(
        "list of a span", "span.pxd, list_index",
        _one("list_index", "i64", "i64 noundef %units", """  %list = call i64 @llvm.umin.i64(i64 %units, i64 64)
  ret i64 %list"""),
        facts=(Fact("units != 0", "core: no span is empty"),),
    ),
    Piece(
        "lists of at least", "span.pxd, find_free",
        _one("lists", "i64", "i64 noundef %bits, i64 noundef %units", """  %above = lshr i64 %bits, %units
  %lists = shl i64 %above, %units
  ret i64 %lists"""),
        facts=(Fact("units < 64", "core: find_free's test"),),
    ),
)  # fmt: skip
"""Where nothing cheaper is found."""


def row(piece: Piece, result: Result) -> str:
    """One line: instructions before, now, of what the search found, and how far it came."""
    reached = next((line for line in result.why_nothing if line.startswith("enumeration")), "")
    return (
        f"{piece.name}: {piece.source.size} -> {piece.target.size}, search: {result.best.cost.ir} "
        f"({result.source.cost.instructions} -> {result.best.cost.instructions} x86-64) {reached}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Search every piece; 1 where something cheaper than what the source says was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="for each piece")
    parser.add_argument("--only", default="", help="pieces whose name holds this")
    options = parser.parse_args(arguments)
    cheaper = False
    for piece in (*ADOPTED, *KEPT):
        if options.only in piece.name:
            result = piece.searched(options.seconds)
            cheaper |= result.best.cost.ir < result.source.cost.ir
            print(row(piece, result), flush=True)
    return int(cheaper)


if __name__ == "__main__":
    sys.exit(main())
