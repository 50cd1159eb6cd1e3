"""`record`: the program's own status, an index of all its images, and nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from m4alloc.lib import lib
from m4alloc.program import ProgramError
from m4alloc.trace.format import TraceError
from m4alloc.trace.index import open_index, read_index
from m4alloc.trace.preload import AllocatorError, library_of, preloaded
from m4alloc.trace.record import RecordError, record
from tests.m4alloc.interrupting import INTERRUPTIBLE, interrupt
from tests.m4alloc.native import build
from tests.m4alloc.trace.recording import PROGRAMS, program, recorded


def m4alloc(*words: str | Path, **how: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "m4alloc", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, **how)  # type: ignore[call-overload,no-any-return]


def test_the_index_lists_every_image_with_its_parent(tmp_path: Path) -> None:
    ran = recorded([program("calls.c"), "fork", "50"], tmp_path)
    index = read_index(tmp_path / "trace")
    assert (index["schema"], index["kind"], index["status"]) == ("m4alloc/1", "trace-index", 0)
    assert index["program"] == [program("calls.c"), "fork", "50"]
    assert [image["file"] for image in index["images"]] == [trace.path.name for trace in ran.tree.traces]
    assert [image["calls"] for image in index["images"]] == [trace.used for trace in ran.tree.traces]
    first = index["images"][0]
    assert (first["parent"], first["end"]) == (None, "exit")
    children = [image for image in index["images"] if image["parent"] == first["file"]]
    assert sorted(image["end"] for image in children) == ["exec", "running"]


def test_a_trace_alone_opens_with_its_ancestors(tmp_path: Path) -> None:
    ran = recorded([program("calls.c"), "fork", "50"], tmp_path)
    child = next(trace for trace in ran.tree.traces if trace.parent)
    tree = open_index(child.path)
    assert [trace.path for trace in tree.traces] == [ran.tree.traces[0].path, child.path]
    assert tree.inherited(child) == ran.tree.inherited(child)


def test_a_missing_trace_is_named(tmp_path: Path) -> None:
    ran = recorded([program("calls.c"), "fork", "50"], tmp_path)
    gone = ran.tree.traces[0].path
    gone.unlink()
    with pytest.raises(TraceError, match=f"its trace {gone.name} is not beside it"):
        open_index(tmp_path / "trace")
    child = next(trace for trace in ran.tree.traces if trace.parent)
    alone = open_index(child.path)
    with pytest.raises(TraceError, match=f"its parent's trace {gone.name} is not in"):
        alone.inherited(child)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"kind": "trace-index", "schema": "m4alloc/9"}', "a = malloc 1"])
def test_a_file_that_is_no_index_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "other").write_text(content)
    with pytest.raises(TraceError, match="reads m4alloc/1" if "9" in content else "neither a trace"):
        open_index(tmp_path / "other")


def test_an_older_recording_is_replaced_with_its_traces(tmp_path: Path) -> None:
    old = {trace.path for trace in recorded([program("calls.c"), "fork", "50"], tmp_path).tree.traces}
    new = {trace.path for trace in recorded([program("ends.c")], tmp_path).tree.traces}
    assert len(old) == 4
    assert {path for path in tmp_path.iterdir() if path.name.startswith("trace")} == {tmp_path / "trace", *new}


def test_a_file_that_is_no_recording_is_kept(tmp_path: Path) -> None:
    precious = tmp_path / "thesis"
    precious.write_text("text")
    with pytest.raises(RecordError, match=r"thesis exists and is not a recording; it is kept \(--force replaces it\)"):
        record([program("ends.c")], precious, allocator="system")
    assert precious.read_text() == "text"
    assert list(tmp_path.iterdir()) == [precious]
    record([program("ends.c")], precious, allocator="system", force=True, stdout=subprocess.DEVNULL)
    assert open_index(precious).traces[0].used == 202


def test_traces_of_another_recording_are_neither_listed_nor_touched(tmp_path: Path) -> None:
    stranger = recorded([program("ends.c")], tmp_path).only.path
    (tmp_path / "trace").unlink()
    before = stranger.read_bytes()
    ran = recorded([program("ends.c")], tmp_path)
    assert stranger not in {trace.path for trace in ran.tree.traces}
    assert stranger.read_bytes() == before


@pytest.mark.parametrize(
    ("argv", "error", "message"),
    [
        (["no-such-program-anywhere"], ProgramError, "no program called 'no-such-program-anywhere' on PATH"),
        (["/etc/passwd"], ProgramError, "/etc/passwd is not executable"),
        ([], ProgramError, "no program given"),
    ],
)
def test_a_program_that_cannot_run_leaves_nothing(
    argv: list[str], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        record(argv, tmp_path / "trace", allocator="system")
    assert list(tmp_path.iterdir()) == []


def test_a_static_program_is_refused(tmp_path: Path) -> None:
    static = program("ends.c", "-static")
    with pytest.raises(ProgramError, match="statically linked"):
        record([static], tmp_path / "trace", allocator="system")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "limit", "message"),
    [
        ("missing/trace", None, "missing is not a directory"),
        (".", None, "is a directory; the recording is written to a file"),
        ("trace", 100, "a limit of 100 bytes: the header of a trace alone has 4096"),
    ],
)
def test_an_impossible_output_is_refused(output: str, limit: int | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=message):
        record([program("ends.c")], tmp_path / output, allocator="system", limit=limit)
    assert list(tmp_path.iterdir()) == []


def test_allocators_are_named_or_given_by_path(tmp_path: Path) -> None:
    assert library_of("system") is None
    assert library_of("m4alloc") == lib()
    with pytest.raises(AllocatorError, match=r"no allocator library tcmaloc \(the names are m4alloc and system"):
        library_of("tcmaloc")
    broken = tmp_path / "broken.so"
    broken.write_text("no library")
    with pytest.raises(AllocatorError, match="cannot be preloaded"):
        library_of(broken)


def test_a_library_with_a_space_in_its_path_is_preloaded_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "my libraries: one"
    folder.mkdir()
    library = folder / "faulty.so"
    library.write_bytes(build(PROGRAMS / "faulty.c", "-shared", "-fPIC").read_bytes())
    ran = recorded([program("looks.c")], tmp_path, on=str(library))
    assert ran.status == 0, ran
    with preloaded([library], "/a.so:/b.so /a.so") as value:
        assert value.split(":")[1:] == ["/a.so", "/b.so", "/a.so"]
        assert " " not in value


def test_what_the_user_preloads_comes_after_the_recorder(tmp_path: Path) -> None:
    library = build(PROGRAMS / "faulty.c", "-shared", "-fPIC")
    ran = recorded([program("looks.c")], tmp_path, env={"LD_PRELOAD": str(library)})
    assert ran.only.allocator == str(library)


def test_the_command_returns_the_programs_status_and_keeps_its_output(tmp_path: Path) -> None:
    ends = program("ends.c")
    done = m4alloc("record", "-o", tmp_path / "t", "--allocator", "system", "--", ends, "_exit")
    assert done.returncode == 7
    done = m4alloc("record", "-o", tmp_path / "t", "--", ends, "segv")
    assert done.returncode == 128 + signal.SIGSEGV
    assert "201 calls of 1 process image" in done.stderr
    done = m4alloc("record", "-o", tmp_path / "t", "--limit", "8Ki", "--", ends)
    assert (done.returncode, done.stdout) == (0, "ended\n")
    assert "ends early: limit" in done.stderr


def test_the_command_prints_its_report_alone_on_stdout_with_json(tmp_path: Path) -> None:
    done = m4alloc("record", "-o", tmp_path / "t", "--json", "--", program("ends.c"))
    report = json.loads(done.stdout)
    assert (report["schema"], report["verb"], report["status"]) == ("m4alloc/1", "record", 0)
    assert report["allocator"] == str(lib())
    assert [trace["calls"] for trace in report["traces"]] == [202]
    assert "ended" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "t", "--", "no-such-program-anywhere"], "no program called 'no-such-program-anywhere' on PATH"),
        (["-o", "t", "--limit", "12x", "--", "ls"], "--limit: '12x' is no number of bytes; 1000000, 64Ki,"),
        (["-o", "t", "--allocator", "./none.so", "--", "ls"], "no allocator library ./none.so"),
        (["-o", "no/where", "--", "ls"], "is not a directory"),
        (["-o", "/dev/full", "--", "ls"], "/dev/full is no file, but a device or a pipe"),
        (["-o", "/dev/full", "--force", "--", "ls"], "/dev/full is no file, but a device or a pipe"),
        (["--", "ls"], "the following arguments are required: -o/--output"),
    ],
)
def test_the_command_refuses_bad_input_with_status_2(words: list[str], message: str, tmp_path: Path) -> None:
    done = m4alloc("record", *words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_the_program_and_leaves_a_whole_recording(tmp_path: Path) -> None:
    inside = "print('ready', flush=True); time.sleep(60)"
    script = f"import time, sys\ntry: {inside}\nexcept KeyboardInterrupt: sys.exit(9)"
    process = subprocess.Popen(
        [
            *(*INTERRUPTIBLE, sys.executable, "-m", "m4alloc", "record"),
            *("-o", str(tmp_path / "t"), "--", sys.executable, "-c", script),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    interrupt(process)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 9, errors
    assert open_index(tmp_path / "t").status == 9
