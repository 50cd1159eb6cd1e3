"""Files: all of them or none of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune import files
from m4alloc.tune.report import NOTHING, UNDECIDED
from m4alloc.view.png import PngError
from tests.m4alloc.tune.report_cases import GOOD, report


@pytest.fixture(autouse=True)
def no_png(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "png", lambda image: b"png")


def test_everything_is_written_and_named(tmp_path: Path) -> None:
    told = files.write(report(), tmp_path / "deep" / "er")
    names = {Path(one).name for one in told.files}
    assert names == {"strategy.toml", "libm4alloc-prog.so", "report.json", "report.html"} | {
        f"{name}.{suffix}" for name in ("pareto", "course", "exact") for suffix in ("svg", "png")
    }
    folder = tmp_path / "deep" / "er"
    assert Strategy.from_toml((folder / "strategy.toml").read_text(), "x") == GOOD
    assert json.loads((folder / "report.json").read_text())["files"] == list(told.files)
    assert [one.name for one in folder.iterdir() if one.name.startswith(".")] == []


def test_a_strategy_of_an_earlier_tuning_goes_when_nothing_is_found_but_not_at_an_interrupt(tmp_path: Path) -> None:
    def strategy(**changes: object) -> bool:
        files.write(report(chosen="", library="", **changes), tmp_path)
        return (tmp_path / "strategy.toml").exists()

    files.write(report(), tmp_path)
    assert strategy(verdict=UNDECIDED, interrupted=True)
    assert not strategy(verdict=NOTHING)


def test_an_interrupt_keeps_the_best_so_far(tmp_path: Path) -> None:
    files.write(report(verdict=UNDECIDED, interrupted=True), tmp_path)
    assert "placement = 1" in (tmp_path / "strategy.toml").read_text()


def test_a_missing_renderer_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(image: object) -> bytes:
        raise PngError("no renderer")

    monkeypatch.setattr(files, "png", missing)
    told = files.write(report(), tmp_path)
    assert told.notes[-1] == "no renderer" and told.notes.count("no renderer") == 1
    assert not any(name.endswith(".png") for name in told.files)
