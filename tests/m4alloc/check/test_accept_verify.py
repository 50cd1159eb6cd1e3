"""What a verification says does not depend on which acceptor judged."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.check import accept
from m4alloc.check.images import Judges
from m4alloc.check.verify import verify, verify_trace
from m4alloc.cli.main import main
from m4alloc.trace.format import TraceError
from m4alloc.trace.read import Trace
from tests.m4alloc.check.test_accept import FEWER, all_of, records_of
from tests.m4alloc.traces import write_trace
from tests.spec.test_history import history

pytestmark = pytest.mark.skipif(not accept.COMPILED, reason="make build")


def told(report: Any) -> dict[str, Any]:
    """All that a report says but how long it took."""
    said = report.to_json()
    del said["contract"]["seconds"]
    return said  # type: ignore[no-any-return]


def test_a_recorded_program_with_children_is_judged_equally(tmp_path: Path) -> None:
    script = "for n in 1 2 3; do (echo $n; echo $n | cat); done | sort"
    verify(["sh", "-c", script], allocator="system", rounds=0, keep_trace=tmp_path / "kept.m4t", stdout=2)
    compiled = verify_trace(tmp_path / "kept.m4t")
    reference = verify_trace(tmp_path / "kept.m4t", reference=True)
    assert told(compiled) == told(reference)
    assert len(compiled.images) > 6 and compiled.checked > 500 and compiled.verdict == "HOLDS"


@FEWER
@given(seed=st.integers(0, 2**32), threads=st.integers(1, 3), forks=st.lists(st.integers(0, 60), max_size=3))
def test_forked_children_are_judged_equally(seed: int, threads: int, forks: list[int]) -> None:
    rng = random.Random(seed)
    quarantine = rng.choice((0, 2))
    with tempfile.TemporaryDirectory() as folder:

        def write(pid: int, **options: Any) -> Trace:
            events = history(seed + pid, 24, threads, quarantine)
            events = [event for event in events if rng.random() > 0.05 and not event.label]
            return write_trace(Path(folder) / f"p.{pid}.0", events, pid=pid, quarantine=quarantine, **options)

        traces = [write(1)]
        for pid, sequence in enumerate(sorted(forks), 2):
            parent = rng.choice([trace.path.name for trace in traces])
            traces.append(write(pid, parent=parent, fork_sequence=sequence))
        judged = Judges(traces, "c17,glibc").run()
        expected = Judges(traces, "c17,glibc", reference=True).run()
    assert [one.trace.pid for one in judged] == [one.trace.pid for one in expected]
    for one, other in zip(judged, expected, strict=True):
        assert all_of(one.acceptor) == all_of(other.acceptor)


@pytest.mark.parametrize("reference", [False, True])
def test_a_damaged_record_is_named(tmp_path: Path, reference: bool) -> None:
    trace = write_trace(tmp_path / "p.1.0", history(3, 20, 1, 0), pid=1)
    records = records_of(trace.events())
    records["function"][5] = 77
    with pytest.raises(TraceError, match=r"p\.1\.0: damaged: there is no function 77; docs/trace-format\.md lists"):
        Judges([Trace(trace.path, trace.header, records)], "c17", reference=reference).run()


def test_a_walk_that_is_stopped_keeps_what_was_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.check.images.BLOCK", 8)
    trace = write_trace(tmp_path / "p.1.0", history(3, 100, 1, 0), pid=1)
    for reference in (False, True):
        asked = iter([False] * 5 + [True] * 100)
        judged = Judges([trace], "c17", stop=lambda asked=asked: next(asked), reference=reference).run()
        assert 0 < judged[0].acceptor.events < 100


def test_the_command_line_takes_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_trace(tmp_path / "p.1.0", history(3, 20, 1, 0), pid=1)
    said = []
    for words in ([], ["--reference"]):
        assert main(["verify", "-o", "-", *words, "--trace", str(tmp_path / "p.1.0")]) == 0
        said.append([line for line in capsys.readouterr().out.splitlines() if "a second" not in line])
    assert said[0] == said[1] and any("HOLDS" in line for line in said[0])
