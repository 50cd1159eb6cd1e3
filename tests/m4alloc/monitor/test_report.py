"""A finding is told once, completely: as text, as JSON, to the program; then what on_violation says happens."""

from __future__ import annotations

import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.m4alloc.monitor.reports import directory, functions, plain, tell

TOOLS: dict[str, dict[str, str]] = {"has its tool": {}, "has no tool": {"PATH": "/nowhere"}}


def test_a_use_after_free_is_told_with_the_life_of_the_block() -> None:
    told = tell("use", options="quarantine_bytes=64k")
    lines = plain(told.ran.err).splitlines()
    assert told.ran.status == 1, told.ran
    assert lines[0] == "use-after-free: read of 1 byte at ADDRESS, 12 bytes into block #N (20 bytes)"
    assert lines[1] == (
        "  property  access-only-while-allocated: (!access W malloc) && [](free -> X(!access W malloc))"
        "   violated at event N"
    )
    assert lines[2] == "  read      event N, thread 1, 1 event after its free   <- here"
    assert lines[-4].startswith("  window    a freed block waits until its thread has freed 64 KiB of its size class")
    assert lines[-3] == "  claim     Memory is accessed only between a malloc and the next free."
    assert re.fullmatch(r"  replay    M4ALLOC_OPTIONS=\S+ PROGRAM use", lines[-2])
    assert re.fullmatch(r"  file      /\S+\.json|  file      PROGRAM\.json", lines[-1])


def test_the_stacks_have_functions_lines_and_what_was_inlined() -> None:
    (finding,) = tell("use").findings
    stacks = finding["stacks"]
    assert functions(stacks["here"]) == ["peek", "use", "main"]
    assert functions(stacks["free"]) == ["drop", "main"]
    assert functions(stacks["malloc"]) == ["make", "main"]
    assert all(frame["file"].endswith("reports.c") and frame["line"] > 0 for frame in stacks["malloc"][:2])
    assert all(frame["module"].startswith(str(directory())) for frame in stacks["malloc"][:2])
    first, second = stacks["here"][:2]
    assert first["address"] == second["address"], "what was inlined has the address of where it was"


def test_a_finding_in_json_has_every_member() -> None:
    told = tell("use")
    (finding,) = told.findings
    assert set(finding) == {
        *("class", "property", "formula", "violated", "verdict", "event", "thread", "pid", "access", "block", "stacks"),
        *("blocks", "bytes", "further_blocks", "further_bytes", "reachable", "trace", "command"),
    }
    access, block = finding["access"], finding["block"]
    assert finding["violated"] == [finding["property"]] == ["access-only-while-allocated"]
    assert finding["verdict"] == "violated"
    assert (access["size"], access["how"], access["function"]) == (1, "read", None)
    assert int(access["address"], 16) - int(block["address"], 16) == block["offset"] == 12
    assert (block["size"], block["life"], block["born_thread"], block["died_thread"]) == (20, "freed", 1, 1)
    assert block["born"] < block["died"] < finding["event"]


@pytest.mark.parametrize(
    ("bug", "first"),
    [
        ("behind", "out-of-bounds: write of 1 byte at ADDRESS, 3 bytes behind block #N (20 bytes)"),
        ("directly-behind", "out-of-bounds: write of 1 byte at ADDRESS, directly behind block #N (20 bytes)"),
        ("before", "out-of-bounds: read of 1 byte at ADDRESS, 4 bytes before block #N (3000 bytes)"),
        (
            "across",
            "out-of-bounds: memset writes 8 bytes at ADDRESS, 15 bytes into block #N (20 bytes), "
            "3 bytes beyond its end",
        ),
        ("strlen", "use-after-free: strlen reads 11 bytes at ADDRESS, 0 bytes into block #N (20 bytes)"),
        ("twice", "double-free: free of ADDRESS, block #N (20 bytes)"),
        ("realloc", "double-free: realloc of ADDRESS, block #N (20 bytes)"),
        ("inside", "invalid-free: free of ADDRESS, 8 bytes into block #N (20 bytes), which lives"),
        ("local", "invalid-free: free of ADDRESS, on the stack of thread 1"),
        ("global", "invalid-free: free of ADDRESS, in the variable some_table of PROGRAM"),
        ("mapped", "invalid-free: free of ADDRESS, in memory that malloc never handed out"),
        ("nowhere", "invalid-free: free of ADDRESS, where no memory is"),
        ("leak", "leak: 1 block of 20 bytes that nothing points to: block #N (20 bytes)"),
    ],
)
def test_the_first_line_says_what_happened_where(bug: str, first: str) -> None:
    told = tell(bug)
    assert plain(told.ran.err).splitlines()[0] == first
    assert told.ran.status == 1
    assert told.classes == [first.partition(":")[0]]


def test_what_the_program_has_printed_is_not_lost() -> None:
    assert tell("use").ran.out == "buffered "


@pytest.mark.parametrize("status", ["0", "3"])
def test_a_run_that_goes_on_fails_all_the_same(status: str) -> None:
    told = tell("twice-and-exit", status, options="on_violation=continue")
    assert told.ran.status == 1
    assert told.ran.out == "buffered "
    assert "m4alloc: 1 finding: 1 double-free" in told.ran.err


def test_abort_ends_by_sigabrt() -> None:
    assert tell("twice", options="on_violation=abort").ran.status == -signal.SIGABRT


def test_the_same_finding_is_told_once_and_counted() -> None:
    told = tell("uses", options="on_violation=continue")
    assert told.classes == ["use-after-free"] * 2
    assert "m4alloc: 2 findings: 2 use-after-free; 4 more of the same or beyond the first 100" in told.ran.err
    assert told.end is not None
    assert told.end["findings"] == 6
    assert told.end["counts"]["access-only-while-allocated"] == 6
    assert told.end["instrumented"] is True


def test_a_hundred_findings_are_told_and_the_others_counted() -> None:
    told = tell("many", options="on_violation=continue,symbolize=0")
    assert told.classes == ["use-after-free"] * 100
    assert "100 use-after-free; 30 more of the same or beyond the first 100" in told.ran.err


def test_callers_are_told_apart_where_site_and_frame_are_the_same() -> None:
    told = tell("callers", options="on_violation=continue")
    freed = [functions(finding["stacks"]["free"]) for finding in told.findings]
    assert freed == [["drop", "through_another", "main"], ["drop", "through_one", "main"]]


@pytest.mark.parametrize("frames", [1, 3, 32])
def test_a_stack_has_as_many_frames_as_are_asked_for(frames: int) -> None:
    (finding,) = tell("deep", options=f"frames={frames}").findings
    for name, most in ("here", 23), ("free", 2), ("malloc", 2):
        addresses = [frame["address"] for frame in finding["stacks"][name]]
        assert len(dict.fromkeys(addresses)) <= frames, name
        assert len(functions(finding["stacks"][name])) >= min(frames, most), name


@pytest.mark.parametrize("options", ["unwind=fast", "unwind=slow"])
def test_a_program_that_was_not_rebuilt_has_its_stacks(options: str) -> None:
    told = tell("twice", options=options, rebuilt=False)
    (finding,) = told.findings
    assert functions(finding["stacks"]["here"]) == ["drop", "main"]
    assert functions(finding["stacks"]["free"]) == ["drop", "main"]


def test_slow_unwinding_needs_no_frame_pointers() -> None:
    flags = ("-O2", "-fomit-frame-pointer")
    (finding,) = tell("callers", options="unwind=slow", rebuilt=False, flags=flags).findings or (None,)
    assert finding is None, "no access is seen without a rebuild"
    (finding,) = tell("twice", options="unwind=slow", rebuilt=False, flags=flags).findings
    assert functions(finding["stacks"]["malloc"]) == ["make", "main"]
    assert functions(finding["stacks"]["here"])[-1] == "main"


@pytest.mark.parametrize("tools", TOOLS)
def test_without_a_debugger_the_symbol_table_names_functions(tools: str) -> None:
    told = tell("use", also=TOOLS[tools])
    (finding,) = told.findings
    names = functions(finding["stacks"]["malloc"])
    assert names == ["make", "main"]
    assert ("file" in finding["stacks"]["malloc"][0]) == (tools == "has its tool")


def test_a_tool_that_ends_without_an_answer_is_given_up_at_once(tmp_path: Path) -> None:
    (tmp_path / "addr2line").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "addr2line").chmod(0o755)
    began = time.monotonic()
    told = tell("use", also={"PATH": str(tmp_path)})
    assert time.monotonic() - began < 9, "it was waited for as for one that still runs"
    assert functions(told.findings[0]["stacks"]["malloc"]) == ["make", "main"]


@pytest.mark.campaign  # ten seconds of waiting
def test_a_tool_that_never_answers_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "addr2line").write_text("#!/bin/sh\nexec /bin/sleep 100\n")
    (tmp_path / "addr2line").chmod(0o755)
    began = time.monotonic()
    told = tell("use", also={"PATH": str(tmp_path)})
    assert 9 < time.monotonic() - began < 30
    assert functions(told.findings[0]["stacks"]["malloc"]) == ["make", "main"]


def test_symbolize_0_leaves_addresses() -> None:
    (finding,) = tell("use", options="symbolize=0").findings
    frame = finding["stacks"]["malloc"][0]
    assert set(frame) == {"address", "module", "offset"}
    assert int(frame["offset"], 16) < int(frame["address"], 16)


def test_the_program_s_own_handler_of_sigchld_does_not_see_the_tool() -> None:
    told = tell("child-handler", options="on_violation=continue")
    assert told.ran.status == 1, "the handler would have ended it with 9"
    assert functions(told.findings[0]["stacks"]["here"]) == ["drop", "main"]


def test_threads_report_one_after_the_other() -> None:
    told = tell("threads", options="on_violation=continue,symbolize=0")
    assert told.classes == ["double-free"] * 8
    assert {finding["thread"] for finding in told.findings} == set(range(2, 10))
    for finding in told.findings:
        assert finding["block"]["born_thread"] == 1
        assert finding["block"]["died_thread"] == finding["thread"]
    assert len(re.findall(r"^double-free: free of", told.ran.err, re.M)) == 8


def test_a_child_does_not_fail_for_what_its_parent_did() -> None:
    told = tell("fork", options="on_violation=continue")
    assert told.ran.out.endswith("the child: 5")
    assert told.ran.status == 1
    assert told.ran.err.count("m4alloc: 1 finding") == 1


def test_a_handler_on_a_stack_of_its_own_has_its_callers() -> None:
    (finding,) = tell("signal").findings
    names = functions(finding["stacks"]["here"])
    assert names[:2] == ["drop", "on_signal"]
    assert names[-1] == "main"


@pytest.mark.parametrize(
    ("bug", "line"),
    [
        ("null", "m4alloc: SIGSEGV: write at 0x8, of a NULL pointer, in main "),
        ("wild", "m4alloc: SIGSEGV: read at 0x200000000000, which is no block's, in main "),
    ],
)
def test_a_fault_that_is_not_the_heap_s_is_explained_in_one_line(bug: str, line: str) -> None:
    told = tell(bug)
    assert told.ran.status == -signal.SIGSEGV
    assert told.ran.err.startswith(line)
    assert told.ran.err.count("\n") == 1
    assert not told.findings


def test_a_handler_of_the_program_s_own_comes_first() -> None:
    told = tell("own-handler")
    assert (told.ran.status, told.ran.err) == (9, "")


def test_a_signal_that_was_sent_kills_as_ever() -> None:
    told = tell("sent")
    assert (told.ran.status, told.ran.err) == (-signal.SIGSEGV, "")


def test_a_fault_on_a_sampled_block_is_a_finding() -> None:
    told = tell("use", rebuilt=False, also={"M4ALLOC_STRATEGY": "sample_rate=1"})
    assert told.ran.status == 1, told.ran
    first = plain(told.ran.err).splitlines()[0]
    assert re.fullmatch(
        r"use-after-free: read of 1 byte at ADDRESS, 12 bytes into a sampled block \(\d+ bytes\)",
        first,
    )
    assert functions(told.findings[0]["stacks"]["here"])[-2:] == ["use", "main"]


def test_the_hook_is_asked_and_its_answer_holds() -> None:
    told = tell("twice", flags=("-DHOOK=M4ALLOC_GO_ON",))
    assert told.ran.out == "buffered double-free|no-double-free|free|0|20\n"
    assert told.ran.status == 1
    assert "m4alloc: 1 finding: 1 double-free" in told.ran.err, "the program came to its end"


def test_the_hook_may_leave_it_to_the_options() -> None:
    told = tell("use", flags=("-DHOOK=M4ALLOC_AS_CONFIGURED",))
    assert told.ran.out == "buffered use-after-free|access-only-while-allocated|read|1|20\n"
    assert told.ran.status == 1
    assert "m4alloc: 1 finding" not in told.ran.err


def test_the_hook_may_jump_away() -> None:
    told = tell("use", flags=("-DHOOK=2",))
    assert told.ran.out.endswith("back after 1")
    assert "use-after-free" in told.ran.err


def test_color_is_for_terminals_and_who_asks() -> None:
    assert "\033[" not in tell("use").ran.err
    assert tell("use", options="color=1").ran.err.startswith("\033[1;31muse-after-free\033[0;1m: read of 1 byte")


def test_the_command_that_led_here_is_told_where_there_was_one() -> None:
    told = tell("use", also={"M4ALLOC_COMMAND": "m4alloc monitor -- ./use"})
    assert told.ran.err.splitlines()[-1] == "  replay    m4alloc monitor -- ./use"
    assert told.findings[0]["command"] == "m4alloc monitor -- ./use"


def test_a_command_is_quoted_for_a_shell() -> None:
    told = tell("use", "it's a word")
    assert told.findings[0]["command"].endswith(" use 'it'\\''s a word'")


def test_llvm_symbolizer_serves_where_binutils_are_missing(tmp_path: Path) -> None:
    tool = shutil.which("llvm-symbolizer")
    if tool is None:
        pytest.skip("llvm-symbolizer is missing: apt install llvm")
    (tmp_path / "llvm-symbolizer").symlink_to(tool)
    (finding,) = tell("use", also={"PATH": str(tmp_path)}).findings
    assert functions(finding["stacks"]["here"]) == ["peek", "use", "main"]
    assert finding["stacks"]["here"][0]["file"].endswith("reports.c")
