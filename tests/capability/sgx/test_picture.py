"""Pictures of the EPC."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from capability.sgx import picture
from capability.sgx.augment import eaug, emodt
from capability.sgx.machine import Machine
from capability.sgx.page import PageType
from capability.sgx.paging import eblock, epa
from tests.capability.sgx.enclaves import DATA, FREE, HEAP, SECS, TCS, enclave


def machine() -> Machine:
    found = eaug(enclave(), FREE, SECS, HEAP).done()
    found = epa(found, 5).done()
    return emodt(eblock(found, TCS).done(), DATA, PageType.TRIM).done()


def test_text_is_a_row_a_frame() -> None:
    assert picture.text(machine()) == (
        "frame  type  secs  address   rights  state\n"
        "    0  SECS  -     -         -       SECS\n"
        "    1  TCS   0     0x100000  -       blocked\n"
        "    2  TRIM  0     0x101000  -       modified\n"
        "    3  REG   0     0x104000  RW      pending\n"
        "    4  -     -     -         -       free\n"
        "    5  VA    -     -         -       VA"
    )


def test_svg_is_well_formed_and_states_differ_in_colour() -> None:
    root = ElementTree.fromstring(picture.svg(machine(), 0, 5))
    squares = root.findall("{*}rect")
    assert len({square.get("fill") for square in squares}) == len(squares) == 6
    assert squares[3].findtext("{*}title") == "frame 3: pending; type REG, SECS 0, address 0x104000, rights RW"
    assert squares[4].findtext("{*}title") == "frame 4: free"


@pytest.mark.parametrize(("first", "last"), [(-1, 2), (3, 2), (0, 12)])
def test_frames_that_are_not_in_the_epc_are_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="0 to 11"):
        picture.text(machine(), first, last)
