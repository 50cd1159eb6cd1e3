"""An array on a block owns no bytes, keeps the block from being freed, and its contents survive a realloc."""

from __future__ import annotations

import numpy as np
import pytest

import m4alloc
from examples import arena_buffers


def test_arrays_live_in_blocks_and_mistakes_are_caught(capsys: pytest.CaptureFixture[str]) -> None:
    arena_buffers.main()
    told = capsys.readouterr().out
    assert "in a block of 131,072; a copy? False" in told
    assert "its sum is 1000.0" in told
    assert "the arena holds 1 block, 131,072 bytes; its spans took 786,432 at most" in told
    assert "free while the array is there: BufferError" in told
    assert "keeps the contents: True" in told
    assert "the old block after realloc:   Misuse, use-after-free" in told
    assert "the second free:               Misuse, double-free" in told


def test_that_nothing_is_copied_is_seen_by_the_address_of_the_bytes() -> None:
    with m4alloc.Arena(1 << 20) as arena:
        block = arena.calloc(16, 8)
        view = arena_buffers.array(block, 4, 4)
        copied = np.array(view).reshape(4, 4)
        assert view.ctypes.data == block.address != copied.ctypes.data
        assert not view.flags.owndata and not copied.reshape(2, 8).flags.owndata  # owndata does not tell them apart
        del view
