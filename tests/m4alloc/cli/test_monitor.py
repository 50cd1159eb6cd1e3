"""`m4alloc monitor`: its exit status, where its output goes, and what it says of impossible command lines."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from m4alloc import _backend
from tests.m4alloc.interrupting import INTERRUPTIBLE, interrupt
from tests.m4alloc.monitor.watched import build
from tests.m4alloc.schema import faults

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "json-schema" / "monitor.json"
TWICE = "p = malloc(40);\nfree(p);\nfree(p);\nreturn 0;"


def monitor(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "m4alloc", "monitor", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_without_a_finding_the_status_is_the_programs() -> None:
    done = monitor("--", "sh", "-c", "echo hello; exit 7")
    assert (done.returncode, done.stdout) == (7, "hello\n")
    assert done.stderr.startswith("m4alloc monitor: HOLDS: no finding in sh\n")


def test_a_program_that_a_signal_ended_is_not_said_to_hold(tmp_path: Path) -> None:
    done = monitor("-o", "page.html", "--", "sh", "-c", "kill -SEGV $$", cwd=tmp_path)
    assert done.returncode == 139
    assert done.stderr.startswith("m4alloc monitor: no finding before SIGSEGV ended sh\n")
    assert "the program was ended by SIGSEGV" in done.stderr
    assert "no finding before SIGSEGV" in (tmp_path / "page.html").read_text()
    child = monitor("--", "sh", "-c", "exit 139")
    assert (child.returncode, child.stderr.splitlines()[0]) == (139, "m4alloc monitor: HOLDS: no finding in sh")


def test_a_name_that_is_nearly_an_events_is_told_whatever_the_verdict(tmp_path: Path) -> None:
    note = "  note: fre: no event of this name, and no label of it is in program; did you mean free?\n"
    freed = build(tmp_path, "p = malloc(40);\nfree(p);\nreturn 0;")
    violated = monitor("--property", "[](malloc -> <>fre)", "--", freed)
    assert violated.returncode == 1 and note in violated.stderr
    held = monitor("--property", "[](fre -> X !malloc)", "--", freed)
    assert note in held.stderr
    said = build(tmp_path, 'M4ALLOC_LABEL("fre"); return 0;')
    assert "no event of this name" not in monitor("--property", "global: <>fre", "--", said).stderr


def test_a_finding_is_status_1_told_at_once_and_in_the_summary(tmp_path: Path) -> None:
    done = monitor("--", build(tmp_path, TWICE))
    assert done.returncode == 1
    assert done.stderr.startswith("double-free: free of ")
    assert "m4alloc monitor: VIOLATED: 1 double-free in program\n" in done.stderr
    assert "VIOLATED (1)  no-double-free" in done.stderr


def test_the_json_is_alone_on_stdout_and_obeys_its_schema(tmp_path: Path) -> None:
    program = build(tmp_path, f'puts("hello");\n{TWICE}')
    done = monitor("--json", "--on-violation", "continue", "--", program)
    data = json.loads(done.stdout)
    assert list(faults(data, json.loads(SCHEMA.read_text()))) == []
    assert (data["counts"], data["exit_status"], done.returncode) == ({"double-free": 1}, 1, 1)
    assert "hello" in done.stderr


def test_the_page_and_the_trace_are_written_where_they_were_asked_for(tmp_path: Path) -> None:
    program = build(tmp_path, TWICE)
    done = monitor("-o", "page.html", "--keep-trace", "before.m4t", "--", program, cwd=tmp_path)
    assert "  page: page.html" in done.stderr
    assert "<h2>double-free</h2>" in (tmp_path / "page.html").read_text()
    again = subprocess.run(
        [sys.executable, "-m", "m4alloc", "verify", "-o", "-", "--trace", "before.m4t"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "1 double-free" in again.stdout


def test_property_list_prints_the_library() -> None:
    done = monitor("--list")
    assert done.returncode == 0
    assert "access-only-while-allocated  address: " in done.stdout


def test_a_program_that_takes_too_long_is_status_3() -> None:
    done = monitor("--timeout", "0.3", "--", "sleep", "60")
    assert done.returncode == 3
    assert done.stderr.startswith("m4alloc monitor: UNDECIDED: no finding in sleep\n")


def test_an_interrupted_program_is_status_130(tmp_path: Path) -> None:
    program = build(tmp_path, 'puts("on"); fflush(stdout); sleep(60);')
    command = [*INTERRUPTIBLE, sys.executable, "-m", "m4alloc", "monitor", "--", program]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"on\n"
    interrupt(process)
    assert process.wait() == 128 + signal.SIGINT
    process.stdout.close()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--", "no-such-program"], "no program called 'no-such-program' on PATH"),
        ([], "no program given; it stands after `--`, as in: -- ls -l"),
        (["--frames", "99", "--", "true"], "frames=99: a stack has 1 to 32 of them"),
        (["--only", "--", "true"], "only: no property is named that alone should be watched"),
        (
            ["--property", "[](malloc -> early)", "--", "true"],
            "address: [](malloc -> early) speaks of early, which a running program does not show; "
            "`m4alloc verify --property` judges it on a recording",
        ),
        (
            ["--quarantine", "much", "--", "true"],
            "--quarantine: 'much' is no number of bytes; 1000000, 64Ki, 500M and 1.5G are",
        ),
    ],
)
def test_an_impossible_command_line_is_status_2_and_one_line(words: list[str], message: str) -> None:
    done = monitor(*words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"m4alloc monitor: {message}\n")
