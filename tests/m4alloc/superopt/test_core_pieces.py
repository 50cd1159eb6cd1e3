"""What the core's source says is what was proved, under its facts and not without them."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from m4alloc.superopt import source
from m4alloc.superopt.core import CORE
from m4alloc.superopt.core_pieces import (
    ADOPTED,
    ALIGNED,
    ANY_FREE,
    ANY_REMOTE,
    FREE_LANES,
    KEPT,
    REMOTE_LANES,
    Piece,
    row,
)
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.parse_tokens import IrError
from m4alloc.superopt.verdict import Outcome

pytestmark = pytest.mark.skipif(not CORE.is_dir(), reason="the wheel has no source")

PROVED = (*ADOPTED, ANY_FREE, ANY_REMOTE)
LANE_BITS = [0x80 << 8 * lane for lane in range(8)]


def _name(piece: Piece) -> str:
    return piece.name


@pytest.mark.parametrize("piece", PROVED, ids=_name)
def test_each_rewrite_is_proved_under_the_core_s_facts(piece: Piece) -> None:
    verdict = piece.verdict()
    assert verdict.accepted and not verdict.vacuous, verdict
    assert verdict.assumptions == piece.facts


@pytest.mark.parametrize("piece", PROVED, ids=_name)
def test_each_rewrite_is_refuted_without_them(piece: Piece) -> None:
    assert piece.verdict(assuming=False).outcome is Outcome.COUNTEREXAMPLE


@pytest.mark.parametrize("piece", PROVED, ids=_name)
def test_no_rewrite_rests_on_a_strategy(piece: Piece) -> None:
    assert all(fact.origin.startswith("core: ") for fact in piece.facts)


def test_states_up_to_127_would_do_and_a_larger_one_would_break_the_proof() -> None:
    fine, broken = Fact("states & 0x8080808080808080 == 0"), Fact("states & 0x7878787878787878 == 0")
    assert refines(FREE_LANES.source, FREE_LANES.target, [fine]).accepted
    assert refines(FREE_LANES.source, FREE_LANES.target, [broken]).counterexample is not None


@pytest.mark.parametrize(("piece", "state"), [(FREE_LANES, 0), (REMOTE_LANES, 4)], ids=["FREE", "REMOTE"])
def test_the_expression_in_slab_pxd_is_the_proved_one(piece: Piece, state: int, tmp_path: Path) -> None:
    text = (CORE / "slab.pxd").read_text()
    lanes = re.search(r"LANES = (0x[0-9a-f]+)", text)
    expression = re.search(r"cdef inline uint64_t lanes_in\(.*?\n    return (.*?)\n\n", text, re.DOTALL)
    assert lanes is not None and expression is not None
    body = expression.group(1).replace("<uint64_t>", "(uint64_t)")
    code = tmp_path / "lanes.c"
    code.write_text(
        f"#include <stdint.h>\nenum {{ LANES = {lanes.group(1)} }};\n"
        f"uint64_t {piece.source.name}(uint64_t states) {{ uint64_t state = {state}; return {body}; }}\n"
    )
    try:
        compiled = source.chosen(code, piece.source.name)
    except IrError as error:
        pytest.skip(f"no clang: {error}")
    assert refines(piece.source, compiled, piece.facts).accepted
    assert refines(piece.target, compiled, piece.facts).accepted


def test_the_choice_of_a_class_masks_as_proved() -> None:
    assert "if arena.knobs.class_size[c] & (alignment - 1) == 0:" in (CORE / "size_class.pxd").read_text()
    assert "lanes &= lanes - 1" in (CORE / "slab.pxd").read_text()
    assert "m4_lowest_bit(lanes) >> 3" in (CORE / "remote.pxd").read_text()
    assert ALIGNED.verdict().accepted


def test_lanes_from_the_lowest_bit_on_are_the_loop_over_eight_bytes() -> None:
    """Each turn of the loop is proved by first lane and other lanes; these are all runs of it."""
    for wanted, most in product(range(256), range(9)):
        by_bytes = [lane for lane in range(8) if wanted >> lane & 1][:most]
        by_lanes = []
        lanes = sum(bit for lane, bit in enumerate(LANE_BITS) if wanted >> lane & 1)
        while lanes and len(by_lanes) < most:
            by_lanes.append((lanes & -lanes).bit_length() - 1 >> 3)
            lanes &= lanes - 1
        assert by_bytes == by_lanes


def test_no_access_to_shared_states_is_added() -> None:
    """Each group is read once, as before; bytes that were read again are not; what is written is what was written."""
    for name, function in (("slab.pxd", "take_slots"), ("remote.pxd", "collect_states")):
        text = (CORE / name).read_text()
        body = text[text.index(f" {function}(") :]
        body = body[: body.index("\n\n\n")]
        assert body.count("m4_read_states(") == 1 and "m4_read8(" not in body
        assert set(re.findall(r"m4_write8\(.*, (\w+)\)", body)) <= {"CACHED", "FREE"}


@pytest.mark.campaign
@pytest.mark.parametrize("piece", [*ADOPTED, *KEPT], ids=_name)
def test_the_search_finds_nothing_that_is_cheaper(piece: Piece) -> None:
    result = piece.searched(60.0)
    assert result.best.cost.instructions >= result.source.cost.instructions, row(piece, result)
    assert result.settled, row(piece, result)
