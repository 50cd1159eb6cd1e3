"""`m4alloc view`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m4alloc.cli.main import main

SCRIPT = str(Path(__file__).resolve().parents[2] / "scripts" / "misuse" / "use-after-free.heap")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("--attack", "use-after-reuse-read", "--architecture", "mte-glibc"),
            "heap     Use after reuse read on mte-glibc (reference allocator, first fit)",
        ),
        (
            (SCRIPT, "--architecture", "morello"),
            "heap     use-after-free.heap, on reference allocator, first fit, over morello",
        ),
    ],
)
def test_what_served_a_heap_is_said_in_english(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], line: str
) -> None:
    assert main(["view", *words, "-o", "-"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == line


def test_a_page_is_written_and_said_where(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["view", SCRIPT]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    told = out.splitlines()
    assert told[0] == "heap     use-after-free.heap, as the script tells it"
    assert told[-1].startswith("page     heap.html (")
    assert [path.name for path in folder.iterdir()] == ["heap.html"]


def test_text_and_pictures_need_no_page(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["view", SCRIPT, "--text"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "use-after-free.heap"
    assert "\x1b" not in out
    assert main(["view", SCRIPT, "--svg", "x.svg"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "picture  x.svg"
    assert [path.name for path in folder.iterdir()] == ["x.svg"]


def test_an_attack_is_drawn_on_each_defence(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    words = ["view", "--attack", "use-after-reuse-write", "--architecture", "mte", "--architecture", "none"]
    words += ["--json", "-o", "x.html"]
    assert main(words) == 0
    heaps = json.loads(capsys.readouterr().out)["heaps"]
    assert [heap["marks"] for heap in heaps] == [{"attack": 5, "fault": 1}, {"attack": 5, "missed": 1}]
    assert (folder / "x.html").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to show: give a trace, a recording, a heap script, or --attack NAME"),
        (("gone.m4t",), "gone.m4t: no such file"),
        ((SCRIPT, "--text", "--json"), "--text and --json both print to standard output"),
        ((SCRIPT, "--svg", "-"), "--svg -: the name of a file is wanted"),
        ((SCRIPT, "--seed", "7"), "--seed goes with --attack"),
        (("--attack", "rowhammer"), "no attack is called 'rowhammer'"),
        ((SCRIPT, "-o", "nowhere/x.html"), "nowhere/x.html: there is no directory nowhere"),
    ],
)
def test_wrong_usage_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], folder: Path, words: tuple[str, ...], message: str
) -> None:
    assert main(["view", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"m4alloc view: {message}")
    assert err.count("\n") == 1
    assert not list(folder.iterdir())
