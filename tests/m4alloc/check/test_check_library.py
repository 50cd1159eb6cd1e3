"""`check` says of a library which rules it broke, how surely, and leaves behind what shows it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from m4alloc.check.alphabet import MAX_DEPTH, usual
from m4alloc.check.campaign import ENGINES, Done
from m4alloc.check.check_library import STATE, CheckError, check, holds, replay
from m4alloc.check.check_report import CheckReport
from m4alloc.check.check_text import lines
from m4alloc.check.foreign import WorkerError
from m4alloc.check.progress import Silent
from m4alloc.check.verify_report import Verdict
from spec import script
from spec.event import Function
from tests.m4alloc.check.broken import BROKEN, build, compiler

Bump = Callable[..., str]
shallow = partial(check, engines=["exhaustive"], sizes=[16, 24], slots=2, depth=2, budget=60, jobs=1, output=None)
"""Every sequence of two requests, and nothing else: some tens of milliseconds."""
CALLS = frozenset({Function.MALLOC, Function.CALLOC, Function.REALLOC, Function.ALIGNED_ALLOC, Function.FREE})


def broken(report: CheckReport) -> list[str]:
    """The rules that have findings."""
    return [written.finding.rule.name for written in report.findings]


def observed(report: CheckReport, rule: str) -> int:
    """How often a rule was seen to hold."""
    (count,) = (row.observed for row in report.rules if row.name == rule)
    return count


class Interrupting(Silent):
    """Interrupts this process as a terminal would, at the first step that is told."""

    def advance(self, done: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_a_sound_library_holds_up_to_the_bound(bump: Bump, tmp_path: Path) -> None:
    report = shallow(bump(), output=tmp_path / "findings")
    assert (report.verdict, report.exit_status, report.findings) == (Verdict.HOLDS, 0, ())
    assert (report.depth, report.sequences) == (2, usual(CALLS, (16, 24), 2).sequences(2))
    assert report.standard == "c23,posix" and report.operations > report.sequences
    assert observed(report, "result-disjoint") > 0 and observed(report, "freed-is-reused") == 0
    assert not (tmp_path / "findings").exists() and report.folder == ""


def test_a_broken_library_is_told_with_the_rule_and_the_clause(bump: Bump) -> None:
    report = shallow(bump("MISALIGNED"))
    assert (report.verdict, report.exit_status) == (Verdict.VIOLATED, 1)
    (written,) = report.findings
    found = written.finding
    assert (found.rule.name, found.requests, found.replays, found.flaky) == ("result-aligned-fundamental", 1, 10, False)
    assert (found.engine, found.where) == ("exhaustive", "depth 1") and "POSIX" in found.clause
    (engine,) = report.engines
    assert engine.verdict is Verdict.VIOLATED and engine.broken == ("result-aligned-fundamental",)
    assert [row.name for row in report.rules if row.refused] == ["result-aligned-fundamental"]


def test_the_folder_holds_each_finding_in_four_forms_and_the_state(bump: Bump, tmp_path: Path) -> None:
    library, folder = bump("LOSE_TAIL"), tmp_path / "new" / "findings"
    report = shallow(library, output=folder, sizes=[40, 80])
    assert broken(report) == ["realloc-keeps-contents"]
    names = {f"realloc-keeps-contents.{form}" for form in ("heap", "c", "py", "svg")}
    assert {path.name for path in folder.iterdir()} == names | {STATE}
    text = (folder / "realloc-keeps-contents.heap").read_text()
    assert text.startswith(f"# {library} breaks realloc-keeps-contents (")
    assert "shows 10 of 10 times" in text and script.check(script.parse(text)).ok
    (written,) = report.findings
    assert written.files["heap"] == str(folder / "realloc-keeps-contents.heap")
    assert written.command == f"m4alloc check {library} --script {folder}/realloc-keeps-contents.heap"
    assert report.folder == str(folder) and report.notes == (f"the findings are in {folder}/",)


def test_the_comment_of_a_program_says_how_to_build_and_run_it(bump: Bump, tmp_path: Path) -> None:
    shallow(bump("LOSE_TAIL"), output=tmp_path / "two words", sizes=[40, 80])
    source = tmp_path / "two words" / "realloc-keeps-contents.c"
    lines = [line.removeprefix(" *").strip() for line in source.read_text().partition("*/")[0].splitlines()]
    at = lines.index("Build and run:")
    done = subprocess.run(lines[at + 2], shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(lines[at + 3], shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout.startswith("realloc-keeps-contents: "), done


def test_nothing_carried_out_is_no_verdict(bump: Bump) -> None:
    report = shallow(bump(), budget=1e-9)
    assert (report.verdict, report.exit_status, report.operations) == (Verdict.UNDECIDED, 3, 0)


def test_a_finding_that_shows_in_some_runs_only_is_flaky(bump: Bump, tmp_path: Path) -> None:
    for loads in (0, 1):  # the search itself may come across one of the runs in which nothing is wrong
        (tmp_path / "loads").write_bytes(bytes([loads]))
        report = shallow(bump("SOMETIMES"), env={"M4_LOADS": str(tmp_path / "loads")})
        if report.findings:
            break
    (written,) = report.findings
    assert written.finding.flaky and (written.finding.replays, written.finding.times) == (5, 10)
    assert report.exit_status == 1 and report.to_json()["findings"][0]["flaky"] is True


def test_a_rule_left_out_is_neither_judged_nor_reported(bump: Bump) -> None:
    report = shallow(bump("MISALIGNED"), without=["result-aligned-fundamental"])
    assert report.exit_status == 0
    assert "result-aligned-fundamental" not in [row.name for row in report.rules]


def test_a_promise_is_held_to_only_where_it_is_made(bump: Bump) -> None:
    assert shallow(bump("ROUNDED")).exit_status == 0
    report = shallow(bump("ROUNDED"), promises=["calloc-zeroes-usable"])
    assert broken(report) == ["calloc-zeroes-usable"]


@pytest.mark.parametrize(("standard", "breaks"), [("c17", []), ("c17,posix", ["free-keeps-errno"])])
def test_the_standard_decides_what_counts(bump: Bump, standard: str, breaks: list[str]) -> None:
    report = shallow(bump("FREE_SETS_ERRNO"), standard=standard)
    assert broken(report) == breaks and report.standard == standard


def test_an_interrupted_campaign_is_told_how_it_goes_on_and_does(bump: Bump, tmp_path: Path) -> None:
    deep = partial(shallow, bump(), depth=3, output=tmp_path)
    before = signal.getsignal(signal.SIGINT)
    cut_short = deep(progress=Interrupting())
    assert signal.getsignal(signal.SIGINT) is before
    assert cut_short.interrupted and cut_short.exit_status == 130 and cut_short.depth < 3
    assert cut_short.resume == f"m4alloc check {bump()} --resume --output {tmp_path} --sizes 16,24 --slots 2"
    assert (tmp_path / STATE).exists()
    report = deep(resume=True)
    assert not report.interrupted and report.exit_status == 0
    assert (report.depth, report.sequences) == (3, usual(CALLS, (16, 24), 2).sequences(3))
    once = deep()
    assert report.operations <= once.operations + cut_short.operations
    assert observed(report, "result-disjoint") >= observed(once, "result-disjoint")


def test_a_campaign_goes_on_only_as_it_began(bump: Bump, tmp_path: Path) -> None:
    shallow(bump("MISALIGNED"), output=tmp_path)
    with pytest.raises(ValueError, match="the campaign there has seed 0, not 1; it goes on only as it began"):
        shallow(bump("MISALIGNED"), output=tmp_path, resume=True, seed=1)
    with pytest.raises(ValueError, match=r"campaign\.json: the campaign there has library '[0-9a-f]{16}', not"):
        shallow(bump("LOSE_TAIL"), output=tmp_path, resume=True)
    (tmp_path / STATE).write_text("{}")
    with pytest.raises(ValueError, match=r"campaign\.json: no state of a campaign"):
        shallow(bump("MISALIGNED"), output=tmp_path, resume=True)


def test_a_campaign_that_found_something_tells_it_again_when_it_goes_on(bump: Bump, tmp_path: Path) -> None:
    first = shallow(bump("MISALIGNED"), output=tmp_path)
    again = shallow(bump("MISALIGNED"), output=tmp_path, resume=True)
    assert (
        (again.exit_status, broken(again)) == (first.exit_status, broken(first)) == (1, ["result-aligned-fundamental"])
    )


def forged(path: Path, machine: int, kind: int = 3, bits: int = 2) -> Path:
    """The beginning of an ELF file."""
    path.write_bytes(b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9) + struct.pack("<HHI", kind, machine, 1) + bytes(40))
    return path


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (lambda path: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "is a directory; the path of a shared library (.so) is wanted"),
    "text": (
        lambda path: path.write_text("no library"),
        "not an ELF file; a shared library is wanted, such as `gcc -shared -fPIC` makes",
    ),
    "empty": (
        lambda path: path.write_bytes(b""),
        "not an ELF file; a shared library is wanted, such as `gcc -shared -fPIC` makes",
    ),
    "archive": (
        lambda path: path.write_bytes(b"!<arch>\n" + bytes(60)),
        "a static archive; a shared library is wanted, such as `gcc -shared -fPIC` makes",
    ),
    "cut": (lambda path: path.write_bytes(b"\x7fELF\2\1"), "cut off within its ELF header"),
    "sparc": (lambda path: forged(path, 43), f"built for machine 43; this machine is {os.uname().machine}"),
    "s390x": (lambda path: forged(path, 22), f"built for s390x; this machine is {os.uname().machine}"),
    "x86": (lambda path: forged(path, 3, bits=1), f"built for x86 (32 bits); this machine is {os.uname().machine}"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_library_of_this_machine_is_refused_with_what_it_is(name: str, tmp_path: Path) -> None:
    make, problem = FILES[name]
    path = tmp_path / name
    make(path)
    with pytest.raises(WorkerError, match=f"^{re.escape(f'{path}: {problem}')}$"):
        shallow(path)


@pytest.mark.parametrize("path", ["/bin/true", "/usr/bin/env"])
def test_a_program_is_refused(path: str) -> None:
    with pytest.raises(WorkerError, match=r"cannot be driven: .*(executable|exports no malloc)|but no shared library"):
        shallow(path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"budget": 0}, "a budget of 0 seconds: it must be more than 0"),
        ({"budget": float("nan")}, "a budget of nan seconds: it must be more than 0"),
        ({"jobs": -1}, "-1 jobs: at least 1, or 0 for one a processor"),
        ({"depth": 0}, f"sequences of 0 requests: from 1 to {MAX_DEPTH}"),
        ({"depth": 33}, f"sequences of 33 requests: from 1 to {MAX_DEPTH}"),
        ({"engines": ["luck"]}, "engine 'luck': the engines are directed, exhaustive, random"),
        ({"engines": []}, "engine '(none)': the engines are directed, exhaustive, random"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(CheckError, match=f"^{re.escape(message)}$"):
        shallow("system", **wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"standard": "c99"}, "c99"),
        ({"without": ["no-such-rule"]}, "there is no rule 'no-such-rule'; the rules are "),
        ({"promises": ["result-disjoint"]}, "result-disjoint"),
        ({"sizes": []}, "sizes (none): at least one is needed"),
        ({"sizes": [8, 8]}, "sizes 8, 8: at least one is needed, each once"),
        ({"slots": 0}, "1 to 32 slots"),
    ],
)
def test_names_and_sizes_that_do_not_exist_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        shallow("system", **wrong)


OVERLAP = "a = malloc 100\nb = malloc 100\n"


def test_a_script_is_carried_out_as_often_as_asked(bump: Bump) -> None:
    report = replay(bump("OVERLAP"), script.parse(OVERLAP), times=3)
    assert report.exit_status == 1 and broken(report) == ["result-disjoint"]
    found = report.findings[0].finding
    assert (found.engine, found.requests, found.replays, found.times) == ("script", 2, 3, 3)
    assert replay(bump(), script.parse(OVERLAP), times=2).exit_status == 0


def test_a_script_is_judged_by_the_standard_that_it_gives(bump: Bump) -> None:
    text = "given standard c17\na = malloc 24\nfree a\n"
    assert replay(bump("FREE_SETS_ERRNO"), script.parse(text), times=1).exit_status == 0
    report = replay(bump("FREE_SETS_ERRNO"), script.parse(text), times=1, standard="c17,posix")
    assert broken(report) == ["free-keeps-errno"]


def test_what_a_script_finds_some_of_the_time_is_flaky(bump: Bump, tmp_path: Path) -> None:
    report = replay(
        bump("SOMETIMES"), script.parse("a = malloc 24\nb = malloc 24"), env={"M4_LOADS": str(tmp_path / "loads")}
    )
    (written,) = report.findings
    assert written.finding.replays == 5 and written.finding.flaky


def test_what_misuse_leads_to_is_shown_by_its_script_alone() -> None:
    # glibc's caches of threads do not know of one another.
    text = "a = malloc 100\nfree a\n@1 free a\nb = malloc 100\n@1 c = malloc 100"
    report = replay("system", script.parse(text), times=2)
    assert broken(report) == ["reuse-only-after-free"] and report.findings[0].finding.replays == 2


def test_a_leak_is_shown_by_its_script_carried_out_over_and_over(bump: Bump) -> None:
    text = "label over-and-over\na = malloc 4096\nfree a"
    report = replay(bump(), script.parse(text), times=2)
    assert broken(report) == ["freed-is-reused"] and report.findings[0].finding.replays == 2
    assert replay("system", script.parse(text), times=1).exit_status == 0
    assert replay(bump(), script.parse(text.partition("\n")[2]), times=1).exit_status == 0


def test_an_empty_script_decides_nothing() -> None:
    assert replay("system", script.parse(""), times=1).exit_status == 3


def test_holds_raises_with_the_rule_and_the_rate(bump: Bump) -> None:
    holds(bump(), OVERLAP, times=1)
    with pytest.raises(AssertionError, match=r"^result-disjoint: .* \(2 of 2 times\)$"):
        holds(bump("OVERLAP"), OVERLAP, times=2)


def test_the_state_of_a_campaign_survives_a_round_trip(tmp_path: Path) -> None:
    done = Done(plans=["a"], depth=3, sequences=9, parts={"0.1": 4}, operations={"random": 7}, broken={"random": ["x"]})
    done.save(tmp_path / STATE, {"library": "abc", "seed": 4})
    assert Done.load(tmp_path / STATE, {"library": "abc", "seed": 4}) == done
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def test_what_was_found_is_told_though_it_cannot_be_written(bump: Bump, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    report = shallow(bump("MISALIGNED"), output=tmp_path / "file" / "findings")
    assert broken(report) == ["result-aligned-fundamental"] and report.exit_status == 1
    assert report.notes == (f"not written: {tmp_path}/file/findings: Not a directory",)
    assert report.findings[0].files == {} and report.resume == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_full_disk_leaves_no_half_of_a_file(bump: Bump, tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "m4alloc-test", tmp_path]).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        (tmp_path / "filler").write_bytes(bytes(8 << 10))
        report = shallow(bump("MISALIGNED"), output=tmp_path / "findings")
        assert broken(report) == ["result-aligned-fundamental"] and report.exit_status == 1
        (note,) = report.notes
        assert note == f"not written: {tmp_path}/findings/result-aligned-fundamental.heap: No space left on device"
        assert list((tmp_path / "findings").iterdir()) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_findings_of_another_library_are_not_overwritten(bump: Bump, tmp_path: Path) -> None:
    folder = tmp_path / "findings"
    first, second = tmp_path / "one.so", tmp_path / "two.so"
    shutil.copy(bump("LOSE_TAIL"), first)
    shutil.copy(bump("MISALIGNED"), second)
    into = partial(shallow, output=folder, sizes=[40, 80])
    assert into(first).folder == str(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    said = rf"^{re.escape(str(folder))}: holds findings of another library, {first}, which .* -o DIR"
    with pytest.raises(CheckError, match=said):
        into(second)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert into(second, output=tmp_path / "others").findings
    shutil.copy(second, first)  # built anew in its place: its findings are replaced
    assert broken(into(first)) == broken(into(second)) == ["result-aligned-fundamental"]


def test_a_search_whose_turn_did_not_come_is_told(bump: Bump) -> None:
    report = shallow(bump("MISALIGNED"), engines=["exhaustive", "random"], stop_at_first=True)
    rows = [line.split("  ")[0] for line in lines(report)]
    assert report.findings and rows[:2] == ["exhaustive", "random"]
    assert re.fullmatch(r"random +not carried out +UNDECIDED", lines(report)[1])


@pytest.mark.campaign
@pytest.mark.skipif(compiler() is None, reason="no C compiler")
def test_a_library_that_hangs_after_fork_keeps_the_budget(tmp_path: Path) -> None:
    (hanging,) = (one for one in BROKEN if one.name == "fork_parent_stays_locked")
    began = time.monotonic()
    report = check(build(hanging, tmp_path), budget=15, output=None)
    assert broken(report) == ["call-returns"] and [engine.name for engine in report.engines] == [*ENGINES]
    assert time.monotonic() - began < 25
