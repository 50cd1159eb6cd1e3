"""M4ALLOC_OPTIONS: what is understood has its effect, and what is not ends the program before main with status 2."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.m4alloc.monitor.reports import MONITOR, directory, functions, program, start, tell
from tests.m4alloc.native import run

KNOWN = (
    "properties on_violation json fail_on suppressions frames leaks history trace symbolize uninitialised "
    "quarantine_bytes redzone unwind color"
)
CLASSES = (
    "use-after-free, double-free, invalid-free, out-of-bounds, uninitialised-read, leak, property, property:NAME, "
    "joined by +"
)
PATH = "a path of at most 1023 bytes, in which %p is the process's id and %% is %"
SIZE = "a number of bytes up to 1024m; k and m behind it stand for KiB and MiB"
SWITCH = "0 or 1"
OTHERS = f"is an option of the allocator alone (m4alloc run), not of a monitor; a monitor knows: {KNOWN}"
WRONG = {
    "x": '"x" is not key=value',
    "frames=8,x": '"x" is not key=value',
    "fames=8": f'unknown option "fames"; known: {KNOWN}',
    "=8": f'unknown option ""; known: {KNOWN}',
    "misuse=count": f'"misuse" {OTHERS}',
    "stats=/tmp/x": f'"stats" {OTHERS}',
    "on_violation=explode": '"explode" is not a value of on_violation: that is exit, abort or continue',
    "leaks=some": '"some" is not a value of leaks: that is unreachable, all or no',
    "history=yes": '"yes" is not a value of history: that is no, calls or accesses',
    "unwind=yes": '"yes" is not a value of unwind: that is fast or slow',
    "frames=0": '"0" is not a value of frames: that is a number from 1 to 32',
    "frames=33": '"33" is not a value of frames: that is a number from 1 to 32',
    "frames=": '"" is not a value of frames: that is a number from 1 to 32',
    "symbolize=yes": f'"yes" is not a value of symbolize: that is {SWITCH}',
    "uninitialised=3": '"3" is not a value of uninitialised: that is 0, 1 or 2: no, what decides something, each load',
    "color=": f'"" is not a value of color: that is {SWITCH}',
    "quarantine_bytes=2g": f'"2g" is not a value of quarantine_bytes: that is {SIZE}',
    "quarantine_bytes=1025m": f'"1025m" is not a value of quarantine_bytes: that is {SIZE}',
    "quarantine_bytes=99999999999999999999": f'"{"9" * 20}" is not a value of quarantine_bytes: that is {SIZE}',
    "quarantine_bytes=k": f'"k" is not a value of quarantine_bytes: that is {SIZE}',
    "redzone=0": '"0" is not a value of redzone: that is a number of bytes from 1 to 64k; k behind it stands for KiB',
    "fail_on=leek": f'"leek" is not a value of fail_on: that is {CLASSES}',
    "fail_on=leak+": f'"leak+" is not a value of fail_on: that is {CLASSES}',
    "fail_on=property:": f'"property:" is not a value of fail_on: that is {CLASSES}',
    "json=": f'"" is not a value of json: that is {PATH}',
    "json=%x": f'"%x" is not a value of json: that is {PATH}',
    "trace=a%": f'"a%" is not a value of trace: that is {PATH}',
    "properties=": '"" is not a value of properties: that is the path of a compiled table',
    "suppressions=": '"" is not a value of suppressions: that is the path of a file of suppressions',
    "json=/nonexistent/x": "json: /nonexistent/x cannot be written",
    "trace=/nonexistent/x": "trace: /nonexistent/x cannot be written",
    "suppressions=/nonexistent": "suppressions: /nonexistent cannot be read",
    "frames=8," * 600: "longer than 4095 bytes",
}


@pytest.mark.parametrize("options", WRONG, ids=lambda options: options[:40])
def test_what_is_not_understood_ends_the_program_before_main(options: str) -> None:
    ran = start(options)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == f"m4alloc: M4ALLOC_OPTIONS: {WRONG[options]}\n"


@pytest.mark.parametrize(
    "options",
    [
        *("", ",", "frames=1", "frames=32", "quarantine_bytes=0", "quarantine_bytes=1024m", "quarantine_bytes=64k"),
        *("redzone=1", "redzone=64k", "fail_on=leak+property+property:x", "symbolize=0,color=0,unwind=slow"),
        *("on_violation=abort,leaks=all,history=accesses", "frames=2,,frames=3,"),
    ],
)
def test_what_is_understood_changes_nothing_that_a_sound_program_does(options: str) -> None:
    ran = start(options)
    assert (ran.status, ran.out, ran.err) == (0, "buffered ", "")


def test_options_are_read_where_the_monitor_is_preloaded_too() -> None:
    environment = {"LD_PRELOAD": str(MONITOR), "M4ALLOC_OPTIONS": "x"}
    ran = run(["/bin/true"], preload=False, environment=environment)
    assert (ran.status, ran.err) == (2, 'm4alloc: M4ALLOC_OPTIONS: "x" is not key=value\n')


def test_the_last_value_of_a_key_holds() -> None:
    told = tell("twice", options="on_violation=abort,on_violation=continue")
    assert told.ran.status == 1
    assert "m4alloc: 1 finding" in told.ran.err


@pytest.mark.parametrize(
    ("fail_on", "status"),
    [
        ("double-free", 1),
        ("leak+double-free", 1),
        ("property:no-double-free", 1),
        ("leak", 0),
        ("property", 0),
        ("property:freed-eventually", 0),
    ],
)
def test_fail_on_says_which_findings_make_a_run_fail(fail_on: str, status: int) -> None:
    told = tell("twice", options=f"fail_on={fail_on}")
    assert told.ran.status == status
    assert told.classes == ["double-free"], "it is told all the same"


def test_what_does_not_fail_does_not_end_the_program() -> None:
    told = tell("twice-and-exit", "7", options="fail_on=leak")
    assert told.ran.status == 7
    assert "m4alloc: 1 finding: 1 double-free" in told.ran.err


def test_a_relative_path_is_where_the_program_began_and_percent_p_is_the_process() -> None:
    place = Path(directory()) / "relative"
    place.mkdir(exist_ok=True)
    ran = run(
        [program(), "twice"], preload=False, environment={"M4ALLOC_OPTIONS": "json=100%%-%p.json"}, directory=place
    )
    (path,) = place.iterdir()
    finding = json.loads(path.read_text())
    assert ran.status == 1
    assert path.name == f"100%-{finding['pid']}.json"
    assert f"  file      {path}\n" in ran.err
    path.unlink()


def test_findings_are_appended() -> None:
    notes = Path(directory()) / "twice.json"
    notes.write_text('{"class": "of before"}\n')
    run([program(), "twice"], preload=False, environment={"M4ALLOC_OPTIONS": f"json={notes}"})
    run([program(), "use"], preload=False, environment={"M4ALLOC_OPTIONS": f"json={notes}"})
    classes = [json.loads(line)["class"] for line in notes.read_text().splitlines()]
    assert classes == ["of before", "double-free", "use-after-free"]


def test_a_process_that_came_to_its_end_says_so() -> None:
    end = tell("nothing", options="quarantine_bytes=64k").end
    assert end is not None
    members = {"class", "pid", "instrumented", "exited", "findings", "suppressed", "counts", "quarantine_bytes"}
    assert set(end) == members
    assert end["exited"] is True
    assert (end["findings"], end["suppressed"], set(end["counts"].values())) == (0, 0, {0})


def test_more_frames_cost_nothing_else() -> None:
    (finding,) = tell("deep", options="frames=32,symbolize=1").findings
    assert functions(finding["stacks"]["here"]).count("deep") == 21


def test_no_color_is_heard() -> None:
    assert "NO_COLOR" not in os.environ or "\033" not in tell("twice").ran.err
    assert "\033" not in tell("twice", also={"NO_COLOR": "1"}).ran.err
