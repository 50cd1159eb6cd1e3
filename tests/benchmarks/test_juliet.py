"""The runner of the Juliet suite, on a suite of four cases made here; the real one is the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import juliet
from benchmarks.watchers import WATCHERS, Ran, Watcher
from tests.m4alloc.native import need

DOUBLE = """
#include <stdlib.h>
#include <stdio.h>
#ifndef OMITBAD
static void act(void) { char *p = malloc(10); free(p); free(p); }
#else
static void act(void) { char *p = malloc(10); free(p); }
#endif
int main(void) { act(); return 0; }
"""
READS = """
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
int sink(char *text, int fixed);
int main(void)
{
    char line[20] = "", *variable = getenv("ADD"), *text = malloc(20);
    FILE *file = fopen("/tmp/file.txt", "r");
    if (fgets(line, sizeof line, stdin) == NULL || variable == NULL || file == NULL)
        return 2;
    fclose(file);
    return sink(strcpy(text, line), 0);
}
"""
SINK = """
#include <stdlib.h>
int sink(char *text, int fixed)
{
#ifndef OMITBAD
    while (*text != 'S')
        text++;
#endif
    free(text);
    return fixed;
}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite in the layout of Juliet: two cases that count, one of them in two files, and two that do not."""
    files = {
        "CWE415_Double_Free/s01/CWE415_Double_Free__malloc_free_char_01.c": DOUBLE,
        "CWE415_Double_Free/s01/CWE415_Double_Free__malloc_free_char_12.c": DOUBLE,
        "CWE761_Free/CWE761_Free__char_console_51a.c": READS,
        "CWE761_Free/CWE761_Free__char_console_51b.c": SINK,
        "CWE761_Free/CWE761_Free__char_connect_socket_01.c": READS,
    }
    for name, text in files.items():
        path = tmp_path / "testcases" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    support = tmp_path / "testcasesupport"
    support.mkdir()
    for name in ("io.c", "std_thread.c"):
        (support / name).write_text("static int nothing __attribute__((unused));\n")
    return tmp_path


def test_cases_that_count_are_found_with_all_their_files(suite: Path) -> None:
    found = juliet.cases(suite, (415, 761))
    assert [(case.name, case.variant, len(case.files)) for case in found] == [
        ("CWE415_Double_Free__malloc_free_char_01", "01", 1),
        ("CWE761_Free__char_console_51", "51", 2),
    ]


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    among = [juliet.Case(f"{cwe}_{i:02}", cwe, "family", "01", ()) for cwe in (415, 416) for i in range(50)]
    drawn = juliet.sample(among, 10, 1)
    assert drawn == juliet.sample(among, 10, 1) != juliet.sample(among, 10, 2)
    assert [sum(case.cwe == cwe for case in drawn) for cwe in (415, 416)] == [10, 10]
    assert juliet.sample(among, 100, 1) != among
    assert sorted(case.name for case in juliet.sample(among, 100, 1)) == sorted(case.name for case in among)


def test_bad_versions_are_found_and_good_ones_clean(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need("gcc", "gcc libasan8")
    output = tmp_path / "result.json"
    words = ["--suite", str(suite), "--tool", "asan", "--cwe", "415", "761", "--json", str(output)]
    assert juliet.main(words) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:4]]
    assert [row[:6] for row in rows] == [
        ["CWE415", "double-free", "1", "1", "1", "1"],
        ["CWE761", "invalid-free", "1", "1", "1", "1"],
    ]
    cases = json.loads(output.read_text())["cases"]
    assert [case["found"] and case["clean"] for case in cases] == [True, True]


class Silent(Watcher):
    """A checker that reports nothing of the bad version and a leak of the good one."""

    name = "silent"

    def compile(self, words: object, *, cpp: bool = False, timeout: float = 0) -> str | None:
        return None

    def run(self, program: list[Path], notes: Path, **_: object) -> Ran:  # type: ignore[override]
        good = "good" in program[0].name
        return Ran(0, ("double-free", "leak") if good else (), "", "", 0.0)


def test_misses_and_false_reports_are_told_by_name(
    suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(WATCHERS, "silent", Silent())
    assert juliet.main(["--suite", str(suite), "--tool", "silent", "--cwe", "415"]) == 0
    lines = capsys.readouterr().out.splitlines()
    name = "CWE415_Double_Free__malloc_free_char_01"
    assert lines[4:] == [
        "Missed: 1",
        f"  {name}: nothing reported",
        "Good versions with a report of the class, or that did not end: 1",
        f"  {name}: double-free, leak",
        "Reports of other classes on good versions:",
        "  CWE415 leak: 1",
    ]


def test_an_interrupted_run_prints_what_is_done(
    suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(Silent):
        def run(self, program: list[Path], notes: Path, **_: object) -> Ran:  # type: ignore[override]
            raise KeyboardInterrupt

    monkeypatch.setitem(WATCHERS, "silent", Interrupted())
    assert juliet.main(["--suite", str(suite), "--tool", "silent", "--cwe", "415", "--jobs", "1"]) == 130
    assert "interrupted after 0 of 1 cases" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--suite", "/nowhere"],
            "--suite /nowhere: no testcases and testcasesupport there; docs/juliet.md says where",
        ),
        (["--suite", "SUITE"], "it has no CWE122"),
        (["--suite", "SUITE", "--sample", "0"], "--jobs, --timeout and --sample must be more than 0"),
        (
            ["--suite", "SUITE", "--cwe", "415", "--cflags=-fnonsense"],
            "the support files of the suite cannot be compiled",
        ),
    ],
)
def test_misuse_is_refused(suite: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    need("gcc", "gcc")
    with pytest.raises(SystemExit) as refused:
        juliet.main([word.replace("SUITE", str(suite)) for word in [*words, "--tool=asan"]])
    assert refused.value.code == 2
    assert message in capsys.readouterr().err
