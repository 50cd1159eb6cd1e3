"""Logs of mtrace, ltrace and heaptrack: what each tool said of one program itself, we read from its file."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest

from m4alloc.trace.formats import FormatError, convert, open_history
from m4alloc.trace.formats.blocks import ALLOCATE, FREE, calls_of, live_of
from spec.event import Event, Function

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "formats"


def told(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def events(path: Path) -> list[Event]:
    return list(open_history(path).events())


@pytest.mark.parametrize(
    ("name", "allocated", "peak", "left"),
    [
        ("churn.mtrace", 16423, 9036, (10, 320)),  # as valgrind --tool=dhat says; mtrace: the ten blocks
        ("churn.ltrace", 16423 - 4096, 9036, (10, 320)),  # without the buffer that printf asks for
        ("churn.heaptrack", 89027, 81640, (12, 4493)),  # as heaptrack_print says
        ("churn-raw.heaptrack", 89027, 81640, (12, 4493)),
    ],
)
def test_what_a_tool_says_of_a_program_is_read_from_its_file(
    name: str, allocated: int, peak: int, left: tuple[int, int], tmp_path: Path
) -> None:
    report = convert(VECTORS / name, tmp_path / "out.m4t")
    assert (report.allocated_bytes, report.peak_bytes) == (allocated, peak)
    assert (report.left_blocks, report.left_bytes) == left


def test_mtrace_and_ltrace_tell_the_same_sizes_in_the_same_order() -> None:
    mtrace, ltrace = (calls_of(open_history(VECTORS / name)) for name in ("churn.mtrace", "churn.ltrace"))
    sizes = [calls.size[calls.action == ALLOCATE].tolist() for calls in (mtrace, ltrace)]
    assert [size for size in sizes[0] if size != 4096] == sizes[1]


def test_mtrace_keeps_failures_sites_and_moves(tmp_path: Path) -> None:
    log = "= Start\n@ ./a b:(f+0x1)[0x55] + 0x10 0x8\n@ ./a b:[0x66] < 0x10\n@ ./a b:[0x66] > 0x20 0x30\n"
    log += "@ x:[0x7] ! 0x20 0x4000\n+ (nil) 0x4000\n- 0x20\n= End\n"
    assert events(told(tmp_path / "log.mtrace", log)) == [
        Event(Function.MALLOC, size=8, result=0x10, site=0x55),
        Event(Function.REALLOC, address=0x10, size=0x30, result=0x20, site=0x66),
        Event(Function.REALLOC, address=0x20, size=0x4000, errno=12, site=7),
        Event(Function.MALLOC, size=0x4000, errno=12),
        Event(Function.FREE, address=0x20),
    ]


def test_a_log_that_ends_within_a_line_is_read_up_to_there(tmp_path: Path) -> None:
    history = open_history(told(tmp_path / "log.mtrace", "= Start\n+ 0x10 0x8\n- 0x10\n@ ./prog:[0x5"))
    assert (len(history.trace.records), history.notes) == (2, ("line 4 is cut off and left out",))


def test_calls_of_threads_overlap_as_their_lines_do_and_inner_calls_are_one_with_the_outer() -> None:
    history = open_history(VECTORS / "threads.ltrace")
    made = list(history.events())
    assert {event.function for event in made} <= {Function.NEW, Function.DELETE, Function.MALLOC, Function.FREE}
    assert len({event.thread for event in made}) == 3
    assert any(first.end > second.begin for first, second in pairwise(made))
    assert made[-1].time_ns > 0
    calls = calls_of(history)
    assert calls.skipped == 0
    assert int(live_of(calls)[1][-1]) == int((calls.action == ALLOCATE).sum() - (calls.action == FREE).sum())


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("malloc(24) = 0x1000", Event(Function.MALLOC, size=24, result=0x1000)),
        ("prog->malloc(24) = 0x1000 <0.000010>", Event(Function.MALLOC, size=24, result=0x1000)),
        ("[pid 7] malloc(24) = 0x1000", Event(Function.MALLOC, thread=7, size=24, result=0x1000)),
        ("7 [0x4011] malloc(24) = 0x1000", Event(Function.MALLOC, thread=7, size=24, result=0x1000, site=0x4011)),
        ("calloc(3, 8) = 0x10000", Event(Function.CALLOC, size=8, count=3, result=0x10000)),
        ("realloc(nil, 9) = 0x10000", Event(Function.REALLOC, size=9, result=0x10000)),
        ("realloc(0x10000, 0) = 0", Event(Function.REALLOC, address=0x10000)),
        ("memalign(64, 9, 1, 2) = 0x10000", Event(Function.MEMALIGN, size=9, alignment=64, result=0x10000)),
        ("posix_memalign(0x7f, 64, 9) = 12", Event(Function.POSIX_MEMALIGN, size=9, alignment=64, errno=12)),
        ("malloc(24) = nil", Event(Function.MALLOC, size=24, errno=12)),
        ("free(0x10000) = <void>", Event(Function.FREE, address=0x10000)),
        ("_ZdlPvm(0x10000, 8, 1, 0) = 0", Event(Function.DELETE, address=0x10000, size=8)),
        ("operator new(unsigned long)(8, 1) = 0x10000", Event(Function.NEW, size=8, result=0x10000)),
        ("operator delete[](void*)(0x10000) = <void>", Event(Function.DELETE, address=0x10000)),
        ("malloc@libc.so.6(24) = 0x10000", Event(Function.MALLOC, size=24, result=0x10000)),  # ltrace -x
        ("malloc(-1) = nil", Event(Function.MALLOC, size=2**64 - 1, errno=12)),
        ("@villoc(name, again) = <void>", Event(Function.LABEL, label="name, again")),
    ],
)
def test_every_form_of_a_line_of_ltrace_is_its_call(line: str, event: Event, tmp_path: Path) -> None:
    line = line.replace("= 0x1000 ", "= 0x10000 ") + "0" * line.endswith("= 0x1000")
    event = event._replace(result=0x10000) if event.result == 0x1000 else event
    path = told(tmp_path / "log.ltrace", f'puts("malloc(1)") = 3\n{line}\n+++ exited (status 0) +++\n')
    assert events(path) == [event]


def test_the_block_of_a_posix_memalign_is_who_frees_it(tmp_path: Path) -> None:
    path = told(
        tmp_path / "log.ltrace", "posix_memalign(0x7f, 4096, 9) = 0\nfree(0x10010) = <void>\nfree(0x20000) = <void>\n"
    )
    made = events(path)
    assert (made[0].result, made[0].alignment) == (0x20000, 4096)


def test_relative_times_add_up_and_times_of_day_are_told_from_the_first(tmp_path: Path) -> None:
    path = told(tmp_path / "r.ltrace", "  0.5 puts(1) = 1\n  0.25 malloc(1) = 0x10000\n  0.5 free(0x10000) = <void>\n")
    assert [event.time_ns for event in events(path)] == [750_000_000, 1_250_000_000]
    path = told(tmp_path / "t.ltrace", "23:59:58.5 malloc(1) = 0x10000\n00:00:01.75 free(0x10000) = <void>\n")
    assert [event.time_ns for event in events(path)] == [0, 3_250_000_000]


def test_a_call_that_never_returned_has_no_end(tmp_path: Path) -> None:
    path = told(
        tmp_path / "log.ltrace", "1 malloc(8) = 0x10000\n1 free(0x10000 <unfinished ...>\n1 +++ killed by SIGABRT +++\n"
    )
    made = events(path)
    assert [(event.function, event.end > 0) for event in made] == [(Function.MALLOC, True), (Function.FREE, False)]


def test_interpreted_heaptrack_is_placed_and_raw_data_is_not() -> None:
    interpreted, raw = (open_history(VECTORS / name) for name in ("churn.heaptrack", "churn-raw.heaptrack"))
    assert (interpreted.placed_by, raw.placed_by) == ("reference", "")
    assert interpreted.trace.command == raw.trace.command == ("./churn",)
    assert next(raw.events()).result == 0x5567A32DB530
    sizes = [[event.size for event in history.events() if event.size] for history in (interpreted, raw)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("version", ["v 10200", "v 10400 1", "v 10400 2", "v 10400 3"])
def test_heaptrack_of_every_version_and_compression(version: str, tmp_path: Path) -> None:
    text = f"{version}\nX ./prog -x\na 20 0\n+ 0\n+ 0\nc 5\n- 0\n"
    (tmp_path / "data.heaptrack.gz").write_bytes(gzip.compress(text.encode()))
    made = events(tmp_path / "data.heaptrack.gz")
    assert [(event.function, event.size, event.time_ns) for event in made] == [
        (Function.MALLOC, 0x20, 0),
        (Function.MALLOC, 0x20, 0),
        (Function.FREE, 0, 5_000_000),
    ]
    assert made[2].address == made[1].result  # the youngest


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.mtrace", "= Start\n@ ./p:[0x5] + 0x10\n", ":2:13: expected '+ ADDRESS SIZE'"),
        (
            "a.mtrace",
            "= Start\n@ ./p:[0x5] < 0x10\n- 0x20\n",
            ":3: expected the '>' of the realloc in line 2, found '-'",
        ),
        ("a.mtrace", "= Start\n> 0x10 0x8\n", ":2: a '>' without the '<'"),
        ("a.mtrace", "hello\n", ":1:1: expected '+ ADDRESS SIZE'"),
        ("a.ltrace", "malloc(24) = 0x10000\nmalloc(x) = 0x10000\n", ":2:8: expected a number, found 'x'"),
        ("a.ltrace", "calloc(24) = 0x10000\n", ":1:8: expected calloc(COUNT, SIZE), found calloc(24)"),
        ("a.ltrace", "<... malloc resumed> ) = 0x10000\n", ":1:1: malloc resumes here, and no line before"),
        ("a.ltrace", "malloc(24) = what\n", ":1: expected the result of the call, found 'what'"),
        ("a.ltrace", "malloc(24)\nfree(0) = <void>\n", ":1:7: expected a call and its result, found 'malloc(24)'"),
        ("a.ltrace", 'puts("") = 1\n', ": no call of malloc's family in it"),
        ("a.heaptrack", "hello\n", ":1: not heaptrack's data"),
        ("a.heaptrack", "", ": not heaptrack's data"),
        ("a.heaptrack", "v 10400 9\n", ":1: version 9 of heaptrack's format; versions 1 to 3 are read"),
        ("a.heaptrack", "v 10400 3\n+ 0\n", ":2:3: allocation 0x0 of 0x0 that 'a' lines describe"),
        ("a.heaptrack", "v 10400 3\na zz 0\n", ":2:3: expected a hexadecimal number of 64 bits, found 'zz'"),
        ("a.heaptrack", "v 10400 3\na 8 0\n+ 0\n- 0\n- 0\n", ":5:3: all blocks of allocation 0x0 are freed already"),
        ("a.heaptrack", "v 10400 3\nc ffffffffffffffff\n", ":2:3: no recording lasts 0xffffffffffffffff milliseconds"),
        ("a.mtrace", f"= Start\n+ 0x10 0x{'9' * 9999}\n", ":2:1: expected '+ ADDRESS SIZE'"),
        ("a.ltrace", f"malloc({'9' * 9999}) = 0x10000\n", ":1:8: expected a number, found '9999"),
        ("a.heap", f"a = malloc {'9' * 9999}\n", ": Exceeds the limit (4300 digits)"),
        ("a.heaptrack", "v 10400 3\nq 1\n", ":2:1: no kind of line begins with 'q'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        open_history(told(tmp_path / name, text))
    assert str(caught.value).startswith(f"{tmp_path / name}{message}")


def test_heaptrack_that_ends_within_a_line_is_read_up_to_there(tmp_path: Path) -> None:
    history = open_history(told(tmp_path / "a.heaptrack", "v 10400 3\na 20 0\n+ 0\n+ "))
    assert (len(history.trace.records), history.notes[0]) == (1, "line 4 is cut off and left out")


def test_ltrace_that_ends_within_a_line_is_read_up_to_there(tmp_path: Path) -> None:
    history = open_history(told(tmp_path / "a.ltrace", "malloc(8) = 0x10000\nfree(0x100"))
    assert (len(history.trace.records), history.notes) == (1, ("line 2 is cut off and left out",))


def test_a_log_is_told_by_its_first_line_whatever_its_name(tmp_path: Path) -> None:
    assert open_history(told(tmp_path / "log", "= Start\n+ 0x10 0x8\n")).format == "mtrace"
    assert open_history(told(tmp_path / "log", "v 10400 3\na 20 0\n+ 0\n")).format == "heaptrack"


def test_damaged_compression_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.heaptrack.gz").write_bytes(gzip.compress(b"v 10400 3\n")[:-9])
    with pytest.raises(FormatError, match="gzip cannot decompress it"):
        open_history(tmp_path / "a.heaptrack.gz")
    (tmp_path / "a.heaptrack.zst").write_bytes(b"\x28\xb5\x2f\xfd" + b"\0" * 9)
    with pytest.raises(FormatError, match="zstd cannot decompress it"):
        open_history(tmp_path / "a.heaptrack.zst")
