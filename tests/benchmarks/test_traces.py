"""The programs whose heaps are recorded end well on both inputs; excerpts are small and whole workloads."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.traces import record as script
from benchmarks.traces.programs import HELD_OUT, PROGRAMS, TRAIN, history
from m4alloc.tune.summary import summary
from m4alloc.tune.workload import Kind, Workload, example, load

EXCERPTS = sorted((Path(script.__file__).parent / "excerpts").glob("*.m4t.xz"))
PERL = next(program for program in PROGRAMS if program.name == "perl")


def test_there_are_at_least_eight_programs_with_two_inputs_each() -> None:
    assert len(PROGRAMS) >= 8
    assert {tuple(program.about) for program in PROGRAMS} == {(TRAIN, HELD_OUT)}


def test_every_program_has_an_excerpt() -> None:
    assert [path.name.removesuffix(".m4t.xz") for path in EXCERPTS] == sorted(program.name for program in PROGRAMS)


@pytest.mark.parametrize("path", EXCERPTS, ids=lambda path: path.name.partition(".")[0])
def test_an_excerpt_is_small_and_frees_only_what_it_made(path: Path) -> None:
    assert path.stat().st_size <= script.EXCERPT
    (workload,) = load(path)
    assert len(workload) - workload.prelude >= script.LENGTHS[-1]
    assert (workload.skipped, workload.complete) == (0, False)
    assert (workload.kind[: workload.prelude] == Kind.ALLOCATE).all()
    found = summary(workload)
    assert 0 < found.frees < found.allocates


def test_all_excerpts_together_are_below_500_kib() -> None:
    assert sum(path.stat().st_size for path in EXCERPTS) < 500 * 1024


@pytest.mark.slow
@pytest.mark.skipif(PERL.missing() is not None, reason="perl is not installed")
def test_a_program_is_recorded_once_and_its_excerpt_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--only", "perl", "--output", str(tmp_path), "--limit", "5000000"]
    assert script.main(words) == 0
    first = capsys.readouterr()
    assert [line.split()[:2] for line in first.out.splitlines()[2:]] == [["perl", TRAIN], ["perl", HELD_OUT]]
    assert "ends before its program does (limit)" in first.err
    stamp = (tmp_path / "perl-train.m4t").stat().st_mtime_ns
    assert script.main(words) == 0
    assert (tmp_path / "perl-train.m4t").stat().st_mtime_ns == stamp
    assert script.main([*words, "--excerpts", "--into", str(tmp_path / "excerpts")]) == 0
    assert load(tmp_path / "excerpts" / "perl.m4t.xz")[0].name == "perl"


def test_a_program_that_is_not_installed_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert script.main(["--only", "redis", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().err == "redis was left out: apt install redis-server redis-tools\n"


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        script.main(["--only", "emacs"])
    assert "--only emacs: the programs are python, gcc, git" in capsys.readouterr().err


def test_the_list_names_every_program_and_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 + 2 * len(PROGRAMS)


def test_a_history_is_one_that_git_takes_and_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    stream = b"".join(history(random.Random(1), 8, 5, 10))
    assert stream == b"".join(history(random.Random(1), 8, 5, 10))
    subprocess.run(["git", "init", "-q", "--bare", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "fast-import", "--quiet"], input=stream, check=True)
    count = subprocess.run(["git", "-C", tmp_path, "rev-list", "--count", "main"], capture_output=True, check=True)
    assert count.stdout == b"8\n"


def noisy(length: int) -> Workload:
    """Blocks of random sizes, which do not compress, all live."""
    sizes = np.random.default_rng(1).integers(1, 2**40, length).tolist()
    return example([(Kind.ALLOCATE, block + 1, size) for block, size in enumerate(sizes)], "noisy")


def test_what_does_not_fit_into_an_excerpt_is_refused_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("EXCERPT", 500), ("LENGTHS", (200, 100)), ("PLACES", (0.5, 0.2))):
        monkeypatch.setattr(script, name, value)
    with pytest.raises(script.RecordingError, match=r"^noisy: no 100 calls of it fit into 500 bytes$"):
        script.excerpt(noisy(300), tmp_path / "noisy.m4t.xz")
    assert not (tmp_path / "noisy.m4t.xz").exists()
