"""An array on a block owns no bytes, keeps the block from being freed, and its contents survive a realloc."""

from __future__ import annotations

import pytest

from examples import arena_buffers


def test_arrays_live_in_blocks_and_mistakes_are_caught(capsys: pytest.CaptureFixture[str]) -> None:
    arena_buffers.main()
    told = capsys.readouterr().out
    assert "in a block of 131,072; a copy? False" in told
    assert "its sum is 1000.0" in told
    assert "the arena holds 1 block, 131,072 bytes" in told
    assert "free while the array is there: BufferError" in told
    assert "keeps the contents: True" in told
    assert "the old block after realloc:   Misuse, use-after-free" in told
    assert "the second free:               Misuse, double-free" in told
