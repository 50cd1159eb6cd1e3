"""A watched run: what is reported of which processes, what is said of each property, and what is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from m4alloc import _backend
from m4alloc.monitor.report import Finding, Frame, MonitorReport, read_lines
from m4alloc.monitor.run import MonitorError, monitor
from m4alloc.monitor.symbols import symbolise
from m4alloc.monitor.target import needed
from m4alloc.monitor.text import lines
from m4alloc.program import ProgramError
from spec.ltl.error import LogicError
from tests.m4alloc.monitor.watched import build

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")

AFTER_FREE = "p = malloc(40);\nfree(p);\np[3] = 1;"
TWICE = "p = malloc(40);\nfree(p);\nfree(p);"


def quietly(argv: Sequence[str], **options: Any) -> MonitorReport:
    """A watched run whose reports nobody sees."""
    return monitor(argv, stderr=subprocess.DEVNULL, **options)


def answers(report: MonitorReport) -> dict[str, str]:
    return {one.name: one.answer for one in report.properties}


def test_a_program_without_findings_ends_with_its_own_status(tmp_path: Path) -> None:
    report = monitor([build(tmp_path, "p = malloc(9); free(p); return 3;")])
    assert (report.verdict, report.status, report.exit_status, report.findings) == ("HOLDS", 3, 3, ())
    assert answers(report) == {
        "access-only-while-allocated": "HOLDS",
        "no-double-free": "HOLDS",
        "access-in-bounds": "HOLDS",
        "freed-eventually": "HOLDS",
        "initialised-before-read": "not observed",
    }


def test_a_use_after_free_is_told_with_its_block_and_stacks(tmp_path: Path) -> None:
    report = quietly([build(tmp_path, AFTER_FREE)])
    (found,) = report.findings
    assert (found.title, found.violated) == ("use-after-free", ("access-only-while-allocated",))
    assert found.access is not None
    assert found.block is not None
    assert (found.access.how, found.access.size) == ("write", 1)
    assert (found.block.size, found.block.life, found.block.offset) == (40, "freed", 3)
    assert 0 < found.block.born < found.block.died < found.event
    tops = {name: stack[0] for name, stack in found.stacks.items()}
    assert {frame.function for frame in tops.values()} == {"main"}
    source = (tmp_path / "program.c").read_text().splitlines()
    where = {name: source[frame.line - 1] for name, frame in tops.items()}
    assert where == {"here": "p[3] = 1;", "malloc": "p = malloc(40);", "free": "free(p);"}
    assert (report.verdict, report.exit_status) == ("VIOLATED", 1)
    assert answers(report)["access-only-while-allocated"] == "VIOLATED"
    assert answers(report)["freed-eventually"] == "INCONCLUSIVE"


def test_a_stack_goes_as_far_as_main(tmp_path: Path) -> None:
    before = """
    #define STEP __attribute__((noinline)) static void
    STEP inner(void) { free(p); __asm__ volatile(""); }
    STEP middle(void) { inner(); __asm__ volatile(""); }
    STEP outer(void) { middle(); __asm__ volatile(""); }
    """
    found = quietly([build(tmp_path, "p = malloc(40); outer(); outer();", before=before)]).findings[0]
    for name in ("here", "free"):
        assert [frame.function for frame in found.stacks[name]][:4] == ["inner", "middle", "outer", "main"]


def test_of_a_program_not_rebuilt_calls_are_watched_and_accesses_not_observed(tmp_path: Path) -> None:
    report = quietly([build(tmp_path, TWICE, rebuilt=False)])
    assert [one.title for one in report.findings] == ["double-free"]
    assert not report.rebuilt
    assert answers(report)["access-in-bounds"] == "not observed"
    assert report.notes[0] == (
        "program was not built by `m4alloc cc`: of its accesses only those by C library functions were seen, which is "
        "no answer for access-only-while-allocated, access-in-bounds, initialised-before-read"
    )


def test_a_property_asked_for_that_was_not_observed_is_no_success(tmp_path: Path) -> None:
    report = monitor([build(tmp_path, "return 0;", rebuilt=False)], properties=["S1"])
    assert (report.verdict, report.status, report.exit_status) == ("UNDECIDED", 0, 3)


def test_findings_of_forked_and_of_executed_processes_count(tmp_path: Path) -> None:
    program = build(tmp_path, f"if (fork() == 0) {{ {TWICE} }}\nwait(0); return 0;")
    report = quietly(["sh", "-c", f"{program}; exit 5"])
    assert [one.title for one in report.findings] == ["double-free"]
    assert report.findings[0].pid != report.pid
    assert (report.status, report.exit_status) == (5, 1)


def test_a_program_that_leaves_by_underscore_exit_owes_nothing(tmp_path: Path) -> None:
    report = monitor([build(tmp_path, "p = malloc(9); p = 0; _exit(0);")])
    assert (report.verdict, report.findings) == ("HOLDS", ())
    assert answers(report)["freed-eventually"] == "INCONCLUSIVE"
    assert report.notes == (
        "program ended by _exit, or became a program that is not watched: what it owed by then is no leak",
    )


def test_what_a_program_calls_after_it_has_closed_stderr_is_told_there(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("w") as errors:
        report = monitor([build(tmp_path, "p = malloc(9); p = 0; fclose(stderr); close(2);")], stderr=errors)
    assert report.counts == {"leak": 1}
    assert (tmp_path / "errors").read_text().startswith("leak: 1 block of 9 bytes that nothing points to: block #")


def test_a_child_that_closes_stderr_keeps_no_reader_waiting(tmp_path: Path) -> None:
    body = "if (fork() == 0) { close(0); close(1); close(2); pause(); } return 0;"
    path = build(tmp_path, f"prctl(PR_SET_PDEATHSIG, 0); {body}", before="#include <sys/prctl.h>")
    with subprocess.Popen([path], stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.communicate(timeout=20) == (None, b"")
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_property_of_the_user_s_own_is_told_once_and_replayed_with_it(tmp_path: Path) -> None:
    rule = "thread: [](begun -> (!malloc W ended))"
    path = build(tmp_path, 'p = malloc(9);\nm4alloc_label("begun", 0);\nq = malloc(7);')
    with (tmp_path / "errors").open("w") as errors:
        report = monitor([path], properties=[rule], keep_trace=tmp_path / "it.m4t", stderr=errors)
    told = (tmp_path / "errors").read_text().splitlines()
    (found,) = report.findings
    assert f"  property  {rule}   violated at event {found.event}" in told
    assert f"  replay    m4alloc verify --property '{rule}' --trace {tmp_path}/it.m4t" in told
    again = ["-m", "m4alloc", "verify", "-o", "-", "--property", rule, "--trace", str(tmp_path / "it.m4t")]
    assert subprocess.run([sys.executable, *again], capture_output=True, check=False).returncode == 1


def test_a_program_may_ask_its_monitor_and_runs_without_one(tmp_path: Path) -> None:
    before = """
    #include <m4alloc_monitor.h>
    __attribute__((noinline)) static void lose(void)
    {
        p = malloc(77);
        q = malloc(33);
        if (m4alloc_ignore != NULL)
            m4alloc_ignore(q);
        p = q = NULL;
    }
    __attribute__((noinline)) static void wipe(void) { volatile char none[4096]; memset((char *)none, 0, sizeof none); }
    """
    body = 'lose(); wipe(); printf("%d", m4alloc_check_leaks != NULL ? (int)m4alloc_check_leaks() : -1);'
    plain = build(tmp_path, body, before=before, name="plain", rebuilt=False)
    rebuilt = build(tmp_path, body, before=before, name="rebuilt")
    assert subprocess.run([plain], capture_output=True, check=True).stdout == b"-1"
    for path in plain, rebuilt:
        with (tmp_path / "out").open("w") as out:
            report = quietly([path], stdout=out)
        assert (tmp_path / "out").read_text() == "1"
        assert [(one.title, one.bytes) for one in report.findings] == [("leak", 77)]


def test_leaks_of_a_python_are_told_with_what_would_judge_them(tmp_path: Path) -> None:
    path = build(tmp_path, "p = malloc(9); p = 0;", name="python3.99")
    note = (
        "python3.99 has an allocator of its own, whose memory is not searched: set PYTHONMALLOC=malloc to judge leaks"
    )
    assert note in quietly([path], env={}).notes
    assert note not in quietly([path], env={"PYTHONMALLOC": "malloc"}).notes


def test_on_violation_continue_collects_every_finding(tmp_path: Path) -> None:
    program = build(tmp_path, f"{TWICE}\n{AFTER_FREE}\nreturn 6;")
    report = quietly([program], on_violation="continue")
    assert [one.title for one in report.findings] == ["double-free", "use-after-free"]
    assert report.counts == {"double-free": 1, "use-after-free": 1}
    assert report.exit_status == 1


def test_on_violation_abort_ends_by_a_signal(tmp_path: Path) -> None:
    report = quietly([build(tmp_path, TWICE)], on_violation="abort")
    assert (report.status, report.exit_status) == (134, 1)


def test_fail_on_leaves_the_other_findings_told_but_not_counted(tmp_path: Path) -> None:
    report = quietly([build(tmp_path, f"{TWICE}\nreturn 0;")], fail_on=["use-after-free"])
    assert [one.title for one in report.findings] == ["double-free"]
    assert (report.failures, report.exit_status) == ((), 0)
    assert lines(report)[0] == "m4alloc monitor: HOLDS: no finding (1 finding that does not count) in program"


@pytest.mark.parametrize(
    ("leaks", "answer", "remark"),
    [
        ("unreachable", "HOLDS", "blocks that something still points to aside"),
        ("no", "not observed", "leaks were not looked for"),
        ("all", "VIOLATED", ""),
    ],
)
def test_what_is_still_pointed_to_is_a_leak_only_if_asked_for(
    leaks: str, answer: str, remark: str, tmp_path: Path
) -> None:
    report = quietly([build(tmp_path, "p = malloc(40); return 0;")], leaks=leaks)
    (found,) = [one for one in report.properties if one.name == "freed-eventually"]
    assert (found.answer, found.remark) == (answer, remark)


def test_only_watches_nothing_else(tmp_path: Path) -> None:
    report = monitor([build(tmp_path, "p = malloc(9); free(p);")], properties=["no-double-free"], only=True)
    assert answers(report) == {"no-double-free": "HOLDS"}


def test_a_program_that_takes_too_long_is_ended_and_nothing_is_decided(tmp_path: Path) -> None:
    report = monitor([build(tmp_path, "p = malloc(9); sleep(60);")], timeout=0.5)
    assert (report.timed_out, report.verdict, report.exit_status) == (True, "UNDECIDED", 3)
    assert answers(report)["freed-eventually"] == "INCONCLUSIVE"
    assert report.notes == ("the program took too long and was ended: what it owed by then is no leak",)


def test_what_is_suppressed_is_counted_and_does_not_fail(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("double-free:main\n")
    program = build(tmp_path, f"{TWICE}\nreturn 4;")
    report = quietly([program], suppressions=tmp_path / "known")
    assert (report.findings, report.suppressed, report.exit_status) == ((), 1, 4)
    assert "  1 finding suppressed" in lines(report)


def test_a_label_that_the_program_cannot_say_is_told(tmp_path: Path) -> None:
    program = build(tmp_path, 'M4ALLOC_LABEL("request_start"); return 0;')
    asked = "thread: [](request_strat -> <>malloc)"
    report = monitor([program], properties=[asked])
    assert report.notes == ("request_strat: no such text is in program; the label is misspelt, or a library says it",)
    assert (answers(report)[asked], report.exit_status) == ("not observed", 3)


def test_the_program_gets_what_was_given_it(tmp_path: Path) -> None:
    program = build(tmp_path, 'char b[99]; getcwd(b, 99); return strcmp(b, getenv("WHERE")) + getchar() - 97;')
    given = tmp_path / "given"
    given.write_text("c")
    with given.open("rb") as file:
        report = monitor([program], cwd="/usr", env={**os.environ, "WHERE": "/usr"}, stdin=file)
    assert report.status == 2


def test_the_line_that_tries_again_has_what_decides_what_is_found(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        monitor(["sh", "-c", 'echo "$M4ALLOC_COMMAND"'], strategy="sampled", leaks="all", quarantine=4096, stdout=out)
    told = (tmp_path / "out").read_text()
    assert told.startswith("m4alloc monitor --strategy sampled --leaks all --quarantine 4096 -- sh -c "), told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "fast"}, "strategy=fast: it is one of default, hardened, sampled"),
        ({"on_violation": "stop"}, "on_violation=stop: it is one of exit, abort, continue"),
        ({"leaks": "some"}, "leaks=some: it is one of unreachable, all, no"),
        ({"history": "all"}, "history=all: it is one of calls, accesses, no"),
        ({"frames": 0}, "frames=0: a stack has 1 to 32 of them"),
        ({"timeout": -1.0}, "timeout=-1: it has to be above 0"),
        ({"only": True}, "only: no property is named that alone should be watched"),
        ({"suppressions": "/nowhere/file"}, "there is no file /nowhere/file"),
        ({"keep_trace": "/nowhere/trace"}, "/nowhere/trace cannot be written"),
        ({"output": "/nowhere/x.html"}, "/nowhere/x.html cannot be written"),
        ({"keep_trace": __file__}, f"{__file__} exists and is no trace; it is kept"),
        (
            {"fail_on": ["crash"]},
            "fail_on=crash: the kinds are use-after-free, double-free, invalid-free, out-of-bounds, "
            "uninitialised-read, leak, property, and property:NAME of one watched",
        ),
    ],
)
def test_an_impossible_option_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(MonitorError) as refused:
        monitor(["true"], **options)  # type: ignore[arg-type]
    assert str(refused.value) == message


def test_an_unknown_property_is_refused_with_one_that_may_be_meant() -> None:
    with pytest.raises(LogicError, match="no property is called no-doublefree; did you mean no-double-free"):
        monitor(["true"], properties=["no-doublefree"])


def test_what_only_an_allocator_knows_is_refused() -> None:
    with pytest.raises(LogicError, match="speaks of early, which a running program does not show"):
        monitor(["true"], properties=["[](malloc -> !early)"])


def test_a_statically_linked_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int main(void) { return 0; }")
    subprocess.run(["gcc", "-static", tmp_path / "a.c", "-o", tmp_path / "a"], check=True)
    with pytest.raises(ProgramError) as refused:
        monitor([str(tmp_path / "a")])
    assert str(refused.value) == (
        f"{tmp_path}/a is statically linked: no library can be preloaded into it; link it dynamically"
    )


def test_what_a_program_is_linked_to_says_whether_it_was_rebuilt(tmp_path: Path) -> None:
    assert "libm4monitor.so" in needed(Path(build(tmp_path, "return 0;")))
    assert "libm4monitor.so" not in needed(Path(build(tmp_path, "return 0;", rebuilt=False)))
    assert needed(Path(__file__)) == ()


def test_lines_of_json_that_are_cut_off_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "findings").write_text('{"class": "leak", "bytes": 7}\n{"class": "use-af')
    assert [(found.title, found.bytes) for found in read_lines(tmp_path / "findings")[0]] == [("leak", 7)]
    assert read_lines(tmp_path / "nothing") == ([], [])


def test_a_finding_is_written_as_it_was_read(tmp_path: Path) -> None:
    found = quietly([build(tmp_path, AFTER_FREE)]).findings[0]
    assert Finding.of(found.to_json()) == found


def test_a_finding_has_a_line_for_assertions_that_fail(tmp_path: Path) -> None:
    (found,) = quietly([build(tmp_path, AFTER_FREE)]).findings
    assert repr(found).startswith("<Finding use-after-free: write of 1 byte, freed block of 40 bytes, main (")
    assert repr(found).endswith("program.c:15)>")
    (lost,) = quietly([build(tmp_path, "p = malloc(9); p = 0;")]).findings
    assert repr(lost).startswith("<Finding leak: exit at exit, 1 block of 9 bytes")


def test_frames_without_lines_get_them(tmp_path: Path) -> None:
    program = build(tmp_path, AFTER_FREE)
    found = quietly([program]).findings[0]
    bare = {
        name: tuple(Frame(one.address, module=one.module, offset=one.offset) for one in stack)
        for name, stack in found.stacks.items()
    }
    data = found.to_json() | {"stacks": {name: [one.to_json() for one in stack] for name, stack in bare.items()}}
    (again,) = symbolise([Finding.of(data)])
    top = again.stacks["here"][0]
    assert (top.function, Path(top.file).name, top.line) == ("main", "program.c", found.stacks["here"][0].line)
