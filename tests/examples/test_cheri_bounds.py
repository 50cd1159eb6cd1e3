"""The padding that compressed bounds cost, and the neighbours that a pointer reaches whose allocator did not ask."""

from __future__ import annotations

import pytest

from examples import cheri_bounds


def test_65537_bytes_are_padded_by_what_each_format_needs(capsys: pytest.CaptureFixture[str]) -> None:
    cheri_bounds.main()
    told = capsys.readouterr().out
    row = next(line for line in told.splitlines() if line.lstrip().startswith("65,537 "))
    assert row.split()[1:] == ["127", "/", "128", "31", "/", "32", "1,023", "/", "1,024", "255", "/", "256"]
    assert "ISAv9 128: at worst 0.20% of padding" in told
    assert "0x10000 is 16 bytes before the block, 0x20020 is 15 bytes behind its end" in told
