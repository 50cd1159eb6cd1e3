from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.model.packing import RESERVED, WORD, packing
from spec.model.program import Assign, Cell, Command, Constant, Element, Process, Program, Read


@st.composite
def cells(draw: st.DrawFn) -> tuple[Cell, ...]:
    """Cells of every width, owned by a few processes."""
    made = []
    for number in range(draw(st.integers(0, 25))):
        low = draw(st.integers(-(1 << 40), 1 << 40))
        high = low + draw(st.one_of(st.integers(0, 8), st.integers(0, (1 << 62) - 1)))
        made.append(Cell(f"c{number}", low, high, draw(st.integers(low, high)), draw(st.integers(-1, 2))))
    return tuple(made)


def indexed(of: tuple[Cell, ...], first: int, length: int) -> Program:
    """A program with an index into the cells first .. first + length - 1."""
    command = Command(0, 0, 0, (Assign(Element(first, length, Constant(0)), Read(first)),))
    return Program("indexed", of, (Process("p", 0, ("l",), frozenset()),), (command,))


@settings(deadline=None, max_examples=50)
@given(cells(), st.integers(0, 20), st.data())
def test_unpacking_gives_back_what_was_packed(of: tuple[Cell, ...], extra: int, data: st.DataObject) -> None:
    packed = packing(Program("cells", of, (), ()), extra)
    values = tuple(data.draw(st.integers(cell.low, cell.high)) for cell in of)
    search = data.draw(st.integers(0, (1 << extra) - 1))
    words = packed.pack(values, search)
    assert len(words) == packed.words
    assert packed.unpack(words) == values
    assert words[packed.extra.word] >> packed.extra.shift & (1 << extra) - 1 == search


@settings(deadline=None, max_examples=50)
@given(cells(), st.integers(0, 20))
def test_no_field_lies_over_another_in_two_words_or_in_the_reserved_bits(of: tuple[Cell, ...], extra: int) -> None:
    packed = packing(Program("cells", of, (), ()), extra)
    taken = [((1 << RESERVED) - 1) << (WORD - RESERVED)] + [0] * (packed.words - 1)
    for field in (*packed.fields, packed.extra):
        assert field.mask < 1 << WORD
        assert not taken[field.word] & field.mask
        taken[field.word] |= field.mask


def test_small_cells_share_one_word() -> None:
    assert packing(Program("bits", tuple(Cell(f"b{i}", 0, 1, 0) for i in range(61)), (), ()), 1).words == 1
    assert packing(Program("bits", tuple(Cell(f"b{i}", 0, 1, 0) for i in range(62)), (), ()), 1).words == 2


def test_cells_of_one_process_lie_in_one_word() -> None:
    of = tuple(Cell(f"p{owner}.{i}", 0, 1000, 0, owner) for i in range(3) for owner in range(5))
    packed = packing(Program("owned", of, (), ()))
    for owner in range(5):
        assert len({field.word for cell, field in zip(of, packed.fields, strict=True) if cell.owner == owner}) == 1


@pytest.mark.parametrize(("high", "lies"), [(1, True), (6, True), (7, True), (1 << 40, False)])
def test_an_array_that_is_indexed_lies_in_one_word_if_it_fits(high: int, lies: bool) -> None:
    of = (Cell("p@", 0, 0, 0, 0), Cell("x", 0, 5, 0), *(Cell(f"a[{i}]", 0, high, 0) for i in range(20)))
    array = packing(indexed(of, 2, 20)).array(2, 20)
    assert (array is not None) == lies
    if array is not None:
        assert array.length == 20
        assert array.first.width == high.bit_length()


def test_an_array_of_unequal_ranges_is_found_cell_by_cell() -> None:
    of = Cell("p@", 0, 0, 0, 0), Cell("a[0]", 0, 1, 0), Cell("a[1]", 0, 3, 0)
    assert packing(indexed(of, 1, 2)).array(1, 2) is None


def test_a_cell_that_fills_a_word_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="the cell huge needs 63 bits; 62 is the most"):
        packing(Program("huge", (Cell("huge", 0, 1 << 62, 0),), (), ()))
