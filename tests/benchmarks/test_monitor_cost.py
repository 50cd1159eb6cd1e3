"""The cost of monitoring is measured of every build; one that computes something else ends it. No time is looked at."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import monitor_cost
from benchmarks.monitor_cost import BARE, WAYS, Subject, build, goals, lines, main, subjects
from m4alloc.bench.launch import Launcher
from m4alloc.monitor.compiler import LIBRARY

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or not Path(LIBRARY).exists(), reason="apt install gcc, then make build"
)


@pytest.mark.slow
def test_every_build_of_a_program_is_run_in_each_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--quick", "--rounds", "2", "--only", "loop", "--only", "richards", "--no-valgrind"]
    assert main([*words, "--json", str(tmp_path / "json")]) == 0
    programs = json.loads((tmp_path / "json").read_text())["programs"]
    assert set(programs) == {"loop", "richards"}
    for taken in programs.values():
        assert set(taken["seconds"]) == set(taken["peak"]) == set(WAYS)
        assert all(len(times) == 2 for times in taken["seconds"].values())
        assert min(taken["peak"].values()) > 1 << 18
    printed = capsys.readouterr().out
    assert "peak memory  bare, MiB" in printed and "met" in printed


def test_the_ten_programs_are_the_first_of_the_catalogue() -> None:
    assert [one.name for one in subjects("")] == ["loop", *monitor_cost.TEN]
    with pytest.raises(SystemExit, match="--only sh6: there are loop, binary_tree"):
        subjects("", ["sh6"])


def test_a_build_that_computes_something_else_is_an_error(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.c"
    wrong.write_text('#include <stdio.h>\nint main(int n, char **v) { printf("%s\\n", v[0]); return n != 1; }\n')
    launcher = Launcher(tmp_path)
    subject = Subject("wrong", wrong, ())
    for way in (BARE, "plain"):
        program = build(subject, way, tmp_path, Path(LIBRARY))
        if way == BARE:
            monitor_cost.one_run(launcher, subject, way, program, Path(LIBRARY))
        else:
            with pytest.raises(SystemExit, match="wrong, plain: another result than the bare build"):
                monitor_cost.one_run(launcher, subject, way, program, Path(LIBRARY))


def test_goals_are_judged_by_medians_of_ratios_within_a_round() -> None:
    subject = Subject("loop", Path("loop.c"), ())
    subject.seconds = {way: [2.0, 4.0, 4.0] for way in WAYS}
    subject.seconds[BARE] = [1.0, 2.0, 1.0]
    subject.peak = dict.fromkeys(WAYS, 1 << 20)
    assert goals([subject]) == [(True, "loop, every access, access-then-freed: at most 2.5 times the bare build: 2.00")]
    subject.seconds["faithful"] = [3.0, 6.0, 3.0]
    met, told = goals([subject])[0]
    assert not met and told.endswith(": 3.00")
    assert f"NOT met {told}" in lines([subject], 28.0)
    program = Subject("one", Path("one.c"), (), seconds=subject.seconds, peak={**subject.peak, "faithful": 2 << 20})
    assert [met for met, _ in goals([program])] == [False, False, False, False]
