"""What programs do that a monitor may stumble over: right ones end as they would alone, wrong ones are told.

hazards/*.c and *.cc have a case for each. M4ALLOC_TEST_MONITOR=PATH puts another libm4monitor.so in the place of the
package's.
"""

from __future__ import annotations

import functools
import os
import resource
import subprocess
import tempfile
from pathlib import Path

import pytest

from m4alloc.lib import include
from m4alloc.monitor.compiler import command
from m4alloc.monitor.instrument import HOOKS
from tests.m4alloc.monitor.reports import MONITOR
from tests.m4alloc.native import Ran, need, run

SOURCES = Path(__file__).parent / "hazards"
WAYS = ["preloaded", *HOOKS]
"""How a program comes to be watched: the library before one that gcc has built, or rebuilt with either hooks."""


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="m4alloc-hazards-")


@functools.cache
def program(source: str, way: str) -> Path:
    """hazards/SOURCE, built for a way in."""
    plus = source.endswith(".cc")
    compiler = need("g++" if plus else "gcc", "g++" if plus else "gcc libc6-dev")
    target = Path(_folder().name) / f"{source}-{way}"
    words = [
        "-O0" if plus else "-O1",
        "-g0" if plus else "-g",  # no case in C++ looks at lines, and they take long to write
        "-w",
        "-pthread",
        f"-I{include()}",
        str(SOURCES / source),
        "-o",
        str(target),
        "-ldl",
    ]
    words += ["-std=c++17"] if plus else ["-fno-builtin"]
    rebuilt = [] if way == "preloaded" else command([f"--hooks={way}", *words], "c++" if plus else "c", library=MONITOR)
    done = subprocess.run(rebuilt or [compiler, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def watch(
    source: str,
    way: str,
    *words: str,
    options: str = "",
    directory: Path | None = None,
    timeout: float = 30,
    **limits: int,
) -> Ran:
    """Run a case. options: M4ALLOC_OPTIONS; limits: by their names in `resource`."""
    if not MONITOR.exists():
        pytest.skip("libm4monitor.so is not built")
    environment = {"M4ALLOC_OPTIONS": options} if options else {}
    if way == "preloaded":
        environment["LD_PRELOAD"] = str(MONITOR)
    return run(
        [program(source, way), *words],
        preload=False,
        environment=environment,
        directory=directory,
        limits={getattr(resource, name): value for name, value in limits.items()},
        timeout=timeout,
    )


def summary(ran: Ran) -> str:
    """What the last line of a report says of findings, without how many blocks are left."""
    lines = [line for line in ran.err.splitlines() if line.startswith("m4alloc: ")]
    return lines[-1].removeprefix("m4alloc: ").split("; 1 block still")[0] if lines else ""


RIGHT = {
    "threads.c": ["traders", "cancel", "main_ends_first", "threads_of_c11", "fork_in_a_new_thread"],
    "signals.c": [
        *["accesses", "labels", "jumps_out_of_handlers", "faults_of_its_own", "deep"],
        *["handlers_on_the_heap", "coroutines", "jumps"],
    ],
    "ends.c": ["starts_others", "huge", "many_blocks"],
    "everyday.cc": ["exceptions", "texts", "containers", "threads", "operators", "usable_sizes"],
}
CASES = [
    (source, name, way)
    for source, names in RIGHT.items()
    for name in names
    for way in (WAYS if source.endswith(".c") else WAYS[:2])  # C++ takes long to build
]


@pytest.mark.slow
@pytest.mark.parametrize(("source", "name", "way"), CASES)
def test_a_right_program_ends_as_it_would_alone(source: str, name: str, way: str) -> None:
    ran = watch(source, way, name)
    assert (ran.status, ran.err) == (0, ""), str(ran)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_children_that_are_made_while_others_allocate_can_allocate(way: str) -> None:
    ran = watch("threads.c", way, "forks")
    assert (ran.status, ran.err) == (0, ""), str(ran)


@pytest.mark.parametrize("way", WAYS)
def test_what_threads_allocate_when_main_returns_is_no_leak(way: str) -> None:
    for _ in range(5):
        ran = watch("threads.c", way, "main_returns")
        assert (ran.status, ran.err) == (0, ""), str(ran)


@pytest.mark.parametrize("way", WAYS)
def test_threads_that_have_ended_leave_little_behind(way: str) -> None:
    ran = watch("threads.c", way, "churn")
    assert ran.status == 0, str(ran)
    assert int(ran.out) < 6 << 10  # KiB, of 3,000 threads


@pytest.mark.slow
@pytest.mark.parametrize("options", ["history=accesses", "history=no", "unwind=slow", "frames=32", "redzone=64"])
@pytest.mark.parametrize(("source", "name"), [("everyday.cc", "threads"), ("signals.c", "coroutines")])
def test_no_option_makes_a_right_program_wrong(source: str, name: str, options: str) -> None:
    ran = watch(source, HOOKS[0], name, options=options)
    assert (ran.status, ran.err) == (0, ""), str(ran)


@pytest.mark.parametrize(("source", "name"), [("threads.c", "traders"), ("signals.c", "coroutines")])
def test_what_was_written_is_initialised(source: str, name: str) -> None:
    ran = watch(source, "thread", name, options="uninitialised=1")
    assert (ran.status, ran.err) == (0, ""), str(ran)


@pytest.mark.parametrize("name", ["accesses", "jumps_out_of_handlers"])
def test_a_handler_may_access_what_a_history_of_accesses_is_kept_of(name: str) -> None:
    for _ in range(5):
        ran = watch("signals.c", "thread", name, options="history=accesses")
        assert (ran.status, ran.err) == (0, ""), str(ran)


@pytest.mark.parametrize("way", WAYS)
def test_a_thread_that_is_cancelled_while_it_reports_reports(way: str) -> None:
    ran = watch("threads.c", way, "cancel_a_report", timeout=10)
    assert ran.status == 1, str(ran)
    assert ran.err.startswith("double-free: free of "), str(ran)
    assert ran.out == "printed"


@pytest.mark.parametrize("way", WAYS)
def test_findings_of_many_threads_are_told_once_and_counted(way: str) -> None:
    ran = watch("threads.c", way, "many_findings", options="on_violation=continue")
    assert ran.status == 1
    assert summary(ran) == "1 finding: 1 double-free; 3199 more of the same or beyond the first 100"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["finding_in_a_coroutine", "finding_in_a_handler"])
def test_a_finding_on_a_stack_of_the_programs_own_is_told(name: str, way: str) -> None:
    ran = watch("signals.c", way, name)
    assert ran.status == 1, str(ran)
    assert ran.err.startswith("double-free: free of "), str(ran)
    assert "#0 free_twice" in ran.err


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["child_of_vfork", "quick"])
def test_a_finding_is_in_the_exit_status_however_the_program_ends(name: str, way: str) -> None:
    ran = watch("ends.c", way, name, options="on_violation=continue")
    assert (ran.status, summary(ran)) == (1, "1 finding: 1 double-free"), str(ran)


@pytest.mark.parametrize("way", WAYS)
def test_a_leak_is_told_when_the_program_has_closed_stderr(way: str) -> None:
    ran = watch("ends.c", way, "closes_stderr")
    assert (ran.status, summary(ran)) == (1, "1 finding: 1 leak (1 block, 33 bytes)"), str(ran)


@pytest.mark.parametrize("way", WAYS)
def test_no_report_goes_into_a_file_that_has_the_number_of_stderr(way: str, tmp_path: Path) -> None:
    ran = watch("ends.c", way, "closes_stderr_and_opens", directory=tmp_path)
    assert ran.status == 1
    assert (tmp_path / "data").read_text() == "data"
    assert ran.err.startswith("double-free: free of "), str(ran)


@pytest.mark.parametrize(("policy", "out"), [("exit", "before\n"), ("continue", "before\n")])
def test_a_report_that_nobody_reads_does_not_kill_the_program(policy: str, out: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    found = tmp_path / "found.json"
    environment = {**os.environ, "M4ALLOC_OPTIONS": f"on_violation={policy},json={found}"}
    target = program("ends.c", HOOKS[0])
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run([target, "twice"], env=environment, stdout=subprocess.PIPE, stderr=closed, check=False)
    assert (done.returncode, done.stdout.decode()) == (1, out)
    assert found.read_text().startswith('{"class":"double-free"')


@pytest.mark.parametrize("way", WAYS)
def test_locking_all_memory_does_not_lock_the_monitors(way: str) -> None:
    ran = watch("ends.c", way, "locks_memory")
    if ran.status == 77:
        pytest.skip("the limit of locked memory cannot be set")
    assert (ran.status, ran.err) == (0, ""), str(ran)


def test_too_little_address_space_for_the_shadow_is_said() -> None:
    ran = watch("ends.c", HOOKS[0], "twice", RLIMIT_AS=1 << 30)
    said = "m4alloc: the monitor: there is no address space for its shadow (ulimit -v?)\n"
    assert (ran.status, ran.err) == (2, said), str(ran)


def test_a_program_that_is_not_rebuilt_is_watched_in_little_address_space() -> None:
    ran = watch("ends.c", "preloaded", "twice", RLIMIT_AS=1 << 30)
    assert ran.status == 1
    assert ran.err.startswith("double-free: free of "), str(ran)


def test_stacks_are_right_after_a_jump_out_of_the_c_library() -> None:
    ran = watch("ends.c", HOOKS[0], "gives_up_a_read")
    assert ran.status == 1, str(ran)
    stacks = [line.split()[1] for line in ran.err.splitlines() if line.lstrip().startswith(("#0 ", "#1 "))]
    assert stacks == ["free_twice", "free_twice_later"] * 3, str(ran)


@pytest.mark.parametrize(
    ("hook", "told"), [("allocates", 5), ("jumps", 5), ("exits", 1), ("violates", 7)], ids=lambda value: str(value)
)
def test_the_hook_of_a_program_may_allocate_jump_exit_and_err(hook: str, told: int) -> None:
    ran = watch("ends.c", HOOKS[0], "has_a_hook", hook)
    findings = f"{told} finding{'s' * (told > 1)}: {told} double-free"
    assert (ran.status, summary(ran)) == (1, findings), str(ran)
