"""The cases of wrong use are sound: each does nothing wrong without its wrong operation, and the verdicts are right."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import detect
from benchmarks.detection import runs
from benchmarks.detection.runs import Case, Ran, Subject, Verdict
from m4alloc.bench.peer import Peer, peers
from m4alloc.lib import lib
from m4alloc.strategy import Strategy

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="apt install gcc libc6-dev")

OURS = Peer("m4alloc", str(lib()))
DEFAULT = Subject("default", OURS)
FREES = ("double free", "invalid free")
CHECKS_NOTHING = """
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
static char *start;
static size_t used;
void *aligned_alloc(size_t alignment, size_t size) {
    if (!start) start = mmap(0, 1UL << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (size >> 34) return errno = ENOMEM, NULL;
    size_t end = __atomic_add_fetch(&used, size + 2 * alignment + 32, __ATOMIC_RELAXED);
    char *p = (char *)((uintptr_t)(start + end - size) & -(alignment < 16 ? 16 : alignment));
    ((size_t *)p)[-1] = size;
    return p;
}
void *malloc(size_t size) { return aligned_alloc(16, size); }
void *calloc(size_t count, size_t size) { return malloc(count * size); }
size_t malloc_usable_size(void *p) { return p ? ((size_t *)p)[-1] : 0; }
void *realloc(void *p, size_t size) {
    size_t had = malloc_usable_size(p);
    return memcpy(malloc(size), p ? p : &had, p ? had < size ? had : size : 0);
}
void free(void *p) { (void)p; }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.compile_cases(tmp_path_factory.mktemp("cases"), "-Werror")


def verdicts(program: Path, subject: Subject, chosen: Sequence[Case]) -> dict[Case, Ran]:
    (_, results), *_ = runs.run_all(program, chosen, [subject], repeat=1, jobs=2)
    return {case: ran[0] for case, ran in results.items()}


def test_every_case_says_what_it_does_and_what_can_catch_it(program: Path) -> None:
    listed = runs.cases(program)
    assert len(listed) >= 116
    assert len({(case.name, case.size) for case in listed}) == len(listed)
    assert all(case.category and case.does and case.catcher for case in listed)
    for category in {case.category for case in listed}:
        assert detect.selected(listed, [category])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["glibc", *detect.presets()])
def test_without_the_wrong_operation_nobody_objects(program: Path, name: str) -> None:
    presets = detect.presets()
    subject = detect.variant(OURS, name, presets[name]) if name in presets else Subject(name, Peer(name, ""))
    for category in {case.category for case in runs.cases(program)}:
        assert runs.false_alarm(program, subject, category) is None


@pytest.mark.campaign
def test_without_the_wrong_operation_no_peer_objects(program: Path) -> None:
    for peer in peers()[0]:
        for category in {case.category for case in runs.cases(program)}:
            assert runs.false_alarm(program, Subject(peer.name, peer), category) is None, peer.name


def test_default_stops_every_double_and_invalid_free_at_the_call(program: Path) -> None:
    chosen = detect.selected(runs.cases(program), FREES)
    assert len(chosen) >= 36
    missed = {str(case): ran for case, ran in verdicts(program, DEFAULT, chosen).items() if not ran.verdict.at_the_call}
    assert missed == {}


def test_an_allocator_that_checks_nothing_catches_no_wrong_free(program: Path, tmp_path: Path) -> None:
    source, library = tmp_path / "nothing.c", tmp_path / "nothing.so"
    source.write_text(CHECKS_NOTHING)
    subprocess.run(["gcc", "-O1", "-fno-builtin", "-fPIC", "-shared", source, "-o", library], check=True)
    chosen = [case for case in detect.selected(runs.cases(program), FREES) if case.size <= 64]
    ran = verdicts(program, Subject("nothing", Peer("nothing", str(library))), chosen)
    assert {run.verdict for run in ran.values()} <= {Verdict.HARMLESS, Verdict.MISSED}


def test_a_false_alarm_names_the_case(program: Path, tmp_path: Path) -> None:
    source, library = tmp_path / "alarm.c", tmp_path / "alarm.so"
    source.write_text("#include <stdlib.h>\nvoid *calloc(size_t n, size_t size) { abort(); }\n")
    subprocess.run(["gcc", "-fPIC", "-shared", source, "-o", library], check=True)
    alarm = runs.false_alarm(program, Subject("alarm", Peer("alarm", str(library))), "double free")
    assert alarm == "double free: calloc 8: SIGABRT"


@pytest.mark.parametrize(
    ("status", "out", "err", "verdict"),
    [
        (-6, "ARMED\n", "double free\n", Verdict.MESSAGE),
        (-11, "ARMED\n", "", Verdict.FAULT),
        (1, "ARMED\n", "error\n", Verdict.MESSAGE),
        (-6, "ARMED\nRETURNED\n", "corrupt\n", Verdict.LATE),
        (0, "ARMED\nRETURNED\nPREVENTED\n", "", Verdict.PREVENTED),
        (0, "ARMED\nRETURNED\nNOT_CAUGHT harmless\n", "", Verdict.HARMLESS),
        (0, "ARMED\nRETURNED\nNOT_CAUGHT\n", "", Verdict.MISSED),
        (-6, "ARMED\nRETURNED\nNOT_CAUGHT\n", "corrupt\n", Verdict.AT_EXIT),
        (0, "NOT_OFFERED\n", "", Verdict.NOT_OFFERED),
        (-11, "", "", Verdict.BROKEN),
        (3, "NO_MEMORY\n", "", Verdict.BROKEN),
        (0, "ARMED\n", "", Verdict.BROKEN),
    ],
)
def test_the_verdict_follows_from_how_far_the_program_came(status: int, out: str, err: str, verdict: Verdict) -> None:
    assert runs.judge(status, out, err).verdict is verdict


def test_only_what_was_stopped_counts_as_caught() -> None:
    assert {verdict.value for verdict in Verdict if verdict.caught} == {
        "message at the call",
        "fault at the call",
        "later",
        "prevented",
    }


def test_a_program_that_does_not_end_hangs() -> None:
    sleeper = Path(shutil.which("sleep") or "/bin/sleep")
    assert runs.run_case(sleeper, Case("", "60", 60, "", ""), {}, limit=0.05).verdict is Verdict.HANG


def test_cases_caught_by_chance_show_as_a_range_and_knobs_as_differences() -> None:
    first, second = (Case("overflow", "over by 1", size, "", "canary") for size in (8, 4096))
    caught, missed = Ran(Verdict.LATE), Ran(Verdict.MISSED)
    base = {first: [missed, missed], second: [missed, missed]}
    alone = {first: [caught, caught], second: [caught, missed]}
    assert detect.counted(alone, "overflow") == "1-2"
    lines = detect.by_knob({"canary": alone}, {"canary": base}, base, alone)
    assert lines[2].split() == ["canary", "+1", "-0", "-1", "+0"]
    assert lines[-1] == "  canary: over by 1 (8)"
    assert detect.misses("mine", alone)[1:] == ["  canary, caught by chance: over by 1 (4096)"]
    assert detect.lost_to_peers("mine", {"mine": base, "peer": alone}, ["peer"])[1:] == ["  peer: over by 1 (8)"]


def test_every_knob_in_which_hardened_differs_is_measured() -> None:
    values = detect.knobs()
    assert Strategy.default().with_(**values) == Strategy.hardened()
    assert values["guards"] is True


def test_the_table_has_every_allocator_and_the_json_every_verdict(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(detect, "compile_cases", lambda directory: program)
    words = ["--only", "request size", "--repeat", "1", "--strategy", "default", "--json", str(tmp_path / "j")]
    assert detect.main([*words, "--misses", "default"]) == 0
    out = capsys.readouterr().out
    size = len(detect.selected(runs.cases(program), ["request size"]))
    assert out.splitlines()[0].split()[:3] == ["caught", "of", "glibc"] and out.splitlines()[0].endswith("default")
    assert out.splitlines()[2].split()[2] == str(size) and "Missed by default, by what can catch it: 0" in out
    saved = json.loads((tmp_path / "j").read_text())
    assert all(len(taken) == size for taken in saved["verdicts"].values()) and saved["false_alarms"] == []


def test_an_unknown_category_preset_or_allocator_is_refused_by_name(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(detect, "compile_cases", lambda directory: program)
    for words, message in (
        (["--only", "typos"], "--only typos: the categories are double free, invalid free"),
        (["--strategy", "loose"], "--strategy loose: want one of default, hardened"),
        (
            ["--strategy", "delay_line=9999"],
            "--strategy delay_line=9999: delay_line is 9999; it must be from 0 to 4096",
        ),
        (["--misses", "nobody"], "--misses nobody: the allocators are glibc"),
        (["--repeat", "0"], "--repeat and --jobs must be 1 or more"),
    ):
        with pytest.raises(SystemExit, match="2"):
            detect.main(words)
        assert message in capsys.readouterr().err
