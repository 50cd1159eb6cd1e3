"""`m4alloc check` on the command line: exit statuses, what is printed, and what wrong usage is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from m4alloc.cli import main
from tests.m4alloc.check import conftest
from tests.m4alloc.schema import faults

library = conftest.library  # the fixtures, here too
bump = conftest.bump
Bump = Callable[..., str]
SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "json-schema" / "check.json"
SHALLOW = ("--engine", "exhaustive", "--sizes", "16,24", "--slots", "2", "--depth", "2", "--jobs", "1")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: an empty one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit status of `m4alloc check WORDS`, and what it printed."""
    status = main.main(["check", *words])
    return (status, *capsys.readouterr())


def test_a_library_that_holds_is_told_with_its_bound(capsys: pytest.CaptureFixture[str], bump: Bump) -> None:
    status, out, err = check(capsys, bump(), *SHALLOW)
    rows = out.splitlines()
    assert (status, err) == (0, "")
    assert rows[0].startswith("exhaustive   28 sequences, sizes {16,24}, depth 2  ")
    assert rows[0].endswith("  HOLDS up to the bound")
    assert rows[-1] == "verdict      HOLDS within what was tried: every sequence of 2 requests"
    assert any(row.startswith("contract     ") and "of c23,posix" in row for row in rows)
    assert any(row.startswith("             not observed: ") and "freed-is-reused" in row for row in rows)
    assert not any(Path().iterdir())


def test_a_finding_is_told_with_what_replays_it(capsys: pytest.CaptureFixture[str], bump: Bump) -> None:
    status, out, _ = check(capsys, bump("LOSE_TAIL"), *SHALLOW, "--sizes", "40,80", "-o", "found")
    rows = {row[:13].rstrip(): row[13:] for row in out.splitlines() if row[:13].strip()}
    assert status == 1
    assert rows["exhaustive"].endswith(" VIOLATED") and rows["verdict"] == "VIOLATED"
    assert rows["  rule"].startswith("realloc-keeps-contents (")
    assert rows["  smallest"].startswith("2 requests: a = malloc 4")
    assert rows["  replay"] == (
        f"m4alloc check {bump('LOSE_TAIL')} --script found/realloc-keeps-contents.heap      (10 of 10)"
    )
    assert rows["  also"] == "found/realloc-keeps-contents.{c,py,svg}"
    assert rows["note"] == "the findings are in found/"
    status, out, _ = check(capsys, bump("LOSE_TAIL"), "--script", "found/realloc-keeps-contents.heap")
    assert status == 1 and "(10 of 10)" in out
    assert check(capsys, bump(), "--script", "found/realloc-keeps-contents.heap")[0] == 0


def test_findings_are_written_nowhere_when_so_told(capsys: pytest.CaptureFixture[str], bump: Bump) -> None:
    status, out, _ = check(capsys, bump("MISALIGNED"), *SHALLOW, "-o", "-")
    assert status == 1 and not any(Path().iterdir()) and "  also" not in out


def test_nothing_checked_is_3(capsys: pytest.CaptureFixture[str], bump: Bump) -> None:
    status, out, _ = check(capsys, bump(), *SHALLOW, "--budget", "0.000000001")
    assert status == 3 and out.splitlines()[-1] == "verdict      UNDECIDED"


def test_rules_are_added_and_left_out(capsys: pytest.CaptureFixture[str], bump: Bump) -> None:
    assert check(capsys, bump("MISALIGNED"), *SHALLOW, "--without", "result-aligned-fundamental")[0] == 0
    status, out, _ = check(capsys, bump("ROUNDED"), *SHALLOW, "--promise", "calloc-zeroes-usable", "-o", "-")
    assert status == 1 and "  rule       calloc-zeroes-usable (" in out


@pytest.mark.parametrize("macro", ["", "MISALIGNED", "SILENT"])
def test_the_json_obeys_its_schema(capsys: pytest.CaptureFixture[str], bump: Bump, macro: str) -> None:
    sizes = ("--sizes", "16,4096")
    status, out, _ = check(capsys, bump(*filter(None, [macro])), *SHALLOW, *sizes, "--standard", "c17,glibc", "--json")
    report = json.loads(out)
    assert list(faults(report, json.loads(SCHEMA.read_text()))) == []
    assert report["exit_status"] == status == (1 if macro else 0)
    assert report["exhaustive"]["depth"] == (0 if macro else 2)
    assert [found["files"].keys() >= {"heap", "c", "py", "svg"} for found in report["findings"]] == [True] * bool(macro)


def test_the_json_of_a_script_obeys_the_schema(capsys: pytest.CaptureFixture[str], bump: Bump, folder: Path) -> None:
    (folder / "one.heap").write_text("a = malloc 100\nb = malloc 100\n")
    status, out, _ = check(capsys, bump("OVERLAP"), "--script", "one.heap", "--json")
    report = json.loads(out)
    assert status == 1 and list(faults(report, json.loads(SCHEMA.read_text()))) == []
    (found,) = report["findings"]
    assert (found["rule"], found["files"]) == ("result-disjoint", {"heap": "one.heap"})


def test_a_campaign_goes_on_where_it_was(capsys: pytest.CaptureFixture[str], bump: Bump) -> None:
    run = partial(check, capsys, bump("MISALIGNED"), *SHALLOW)
    assert run()[0] == 1
    status, out, _ = run("--resume")
    assert status == 1 and "(10 of 10)" in out
    status, _, err = run("--resume", "--seed", "5")
    assert status == 2 and "has seed 0, not 5; it goes on only as it began" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("absent.so",), "absent.so: no such file"),
        (("--budget", "soon"), "--budget: 'soon' is no time; 60, 60s, 1.5m, 2h and 250ms are"),
        (("--budget", "5y"), "--budget: '5y' is no time; 60, 60s, 1.5m, 2h and 250ms are"),
        (("--budget", "0"), "a budget of 0 seconds: it must be more than 0"),
        (("--sizes", "16,many"), "--sizes: 'many' is no whole number; 4096, 64k, 2M and 1e6 are"),
        (("--sizes", "-1"), "sizes -1: at least one is needed, each once, from 0 on"),
        (("--slots", "0"), "an alphabet needs a request that hands out a block, and 1 to 32 slots"),
        (("--depth", "0"), "sequences of 0 requests: from 1 to 32"),
        (("--depth", "99"), "sequences of 99 requests: from 1 to 32"),
        (("--jobs", "-2"), "-2 jobs: at least 1, or 0 for one a processor"),
        (("--timeout", "0"), "a timeout of 0 seconds: it must be more than 0"),
        (("--engine", "luck"), "engine 'luck': the engines are directed, exhaustive, random"),
        (("--without", "luck"), "there is no rule 'luck'; the rules are "),
        (("--promise", "luck"), "luck"),
        (("--standard", "c99"), "c99"),
        (("--symbol-prefix", "je_"), "cannot be driven: it exports no je_malloc"),
        (("--script", "absent.heap"), "absent.heap"),
        (("--script", "bad.heap"), "bad.heap:1"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_2_with_one_line_that_says_what_was_wrong(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str, folder: Path
) -> None:
    (folder / "bad.heap").write_text("this is no script\n")
    library = () if words[0].endswith(".so") else ("system",)
    status, out, err = check(capsys, *library, *words)
    assert (status, out) == (2, "") and err.startswith("m4alloc check: ") and message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("words", [("--seed", "x"), ("--jobs", "x"), ("--depth", "1.5"), ("--timeout", "x")])
def test_what_is_no_number_is_2(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    status, out, err = check(capsys, "system", *words)
    assert (status, out) == (2, "") and err.startswith(f"m4alloc check: {words[0]}: {words[1]!r} is no ")


def test_what_is_no_option_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        check(capsys, "system", "--no")
    assert left.value.code == 2 and "--no" in capsys.readouterr().err
