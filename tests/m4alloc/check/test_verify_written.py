"""A verdict stands though the disk is full: what could not be written is told, and nothing is left half-written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from m4alloc.check.keeping import VerifyError
from m4alloc.check.verify import verify
from m4alloc.check.verify_report import Verdict
from m4alloc.check.verify_text import lines
from m4alloc.trace.format import TraceError
from m4alloc.trace.index import open_index
from tests.m4alloc.native import ROOT, build


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that nothing more goes into."""
    folder = tmp_path / "full"
    folder.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "m4alloc-test", folder]).returncode
    ):
        pytest.skip("mounting a small tmpfs needs root")
    try:
        (folder / "filler").write_bytes(bytes(8 << 10))
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_page_that_cannot_be_written_takes_no_verdict_away(full_disk: Path) -> None:
    report = verify(["sort", "/dev/null"], allocator="system", rounds=0, output=full_disk / "page.html")
    assert (report.verdict, report.exit_status, report.page) == (Verdict.HOLDS, 0, "")
    assert report.notes[-1] == f"not written: {full_disk}/page.html: No space left on device"
    assert any("not written" in line for line in lines(report))
    assert [path.name for path in full_disk.iterdir()] == ["filler"]


def test_a_violation_is_told_though_neither_page_nor_recording_can_be_kept(full_disk: Path) -> None:
    faulty = build(ROOT / "tests" / "verify" / "faulty.c", "-shared", "-fPIC", "-DOVERLAP")
    client = build(ROOT / "tests" / "verify" / "client.c")
    report = verify([str(client)], allocator=faulty, rounds=0, output=full_disk / "page.html")
    assert (report.verdict, report.exit_status, report.page, report.trace) == (Verdict.VIOLATED, 1, "", "")
    assert sum(note.startswith("not written: ") for note in report.notes) == 2
    assert [path.name for path in full_disk.iterdir()] == ["filler"]


def test_a_recording_is_kept_in_a_file_only() -> None:
    with pytest.raises(VerifyError, match="/dev/full is no file, but a device or a pipe"):
        verify(["sort", "/dev/null"], allocator="system", rounds=0, keep_trace="/dev/full")
    with pytest.raises(TraceError, match="/dev/full: neither a trace"):
        open_index("/dev/full")  # which can be read for ever
