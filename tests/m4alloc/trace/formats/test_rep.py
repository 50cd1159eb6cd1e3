"""Malloc-lab traces: what every line means, and what is wrong with it where."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.check.progress import Silent
from m4alloc.trace.formats import FormatError, open_history
from m4alloc.trace.formats.history import of_records, records_of
from m4alloc.trace.formats.rep import write_rep
from spec.event import Event, Function

BODY = "a 0 512\na 1 128\nr 0 640\na 2 128\nf 1\nr 0 0\nr 3 8\nf -1\n"


def opened(tmp_path: Path, text: str) -> list[Event]:
    (tmp_path / "lab.rep").write_text(text)
    return list(open_history(tmp_path / "lab.rep").events())


def test_both_orders_of_the_header_tell_the_same(tmp_path: Path) -> None:
    old, new = (opened(tmp_path, header + BODY) for header in ("20000\n4\n8\n1\n", "1\n4\n8\n20000\n"))
    assert old == new


def test_each_letter_is_its_call(tmp_path: Path) -> None:
    first, second, third = 0x100000000, 0x100000200, 0x100000280
    usable = [(512, 512), (128, 128), (640, 640), (128, 128), (0, -1), (0, -1), (8, 16), (0, -1)]
    calls = [
        (Function.MALLOC, 0, first),
        (Function.MALLOC, 0, second),
        (Function.REALLOC, first, third),
        (Function.MALLOC, 0, first),
        (Function.FREE, second, 0),
        (Function.REALLOC, third, 0),
        (Function.REALLOC, 0, first + 128),
        (Function.FREE, 0, 0),
    ]
    assert opened(tmp_path, "20000\n4\n8\n1\n" + BODY) == [
        Event(function, address=address, size=size, result=result, usable=room)
        for (function, address, result), (size, room) in zip(calls, usable, strict=True)
    ]


def test_what_the_header_says_wrongly_is_noted(tmp_path: Path) -> None:
    (tmp_path / "lab.rep").write_text("0\n9\n9\n1\na 0 8\n")
    notes = open_history(tmp_path / "lab.rep").notes
    assert notes[:2] == (
        "the header announces 9 operations, and there are 1",
        "the header announces 9 ids, and 1 are used",
    )


def test_what_a_lab_trace_has_no_room_for_is_counted(tmp_path: Path) -> None:
    events = [
        Event(Function.CALLOC, thread=1, size=8, count=3, result=0x1000),
        Event(Function.MEMALIGN, thread=2, size=8, alignment=64, result=0x2000),
        Event(Function.MALLOC, thread=1, size=1 << 60, errno=12),
        Event(Function.LABEL, thread=1, label="x"),
        Event(Function.STORE, thread=1, address=0x1000, size=8),
        Event(Function.FREE, thread=1, address=0x1000),
        Event(Function.MALLOC, thread=1, size=0, result=0x3000),
    ]
    lost = write_rep(tmp_path / "out.rep", of_records(Path("x"), "m4t", *records_of(events)), Silent())
    assert (tmp_path / "out.rep").read_text() == "1\n3\n4\n0\na 0 24\na 1 8\nf 0\na 2 0\n"
    assert lost == (
        "a malloc-lab trace holds neither addresses nor times nor call sites",
        "1 calloc became malloc",
        "1 aligned request became malloc",
        "2 threads became one",
        "1 label left out",
        "1 access left out",
        "1 request of 0 bytes, which the lab's drivers take for a mistake",
        "1 call about no block left out",
    )


def test_a_line_without_its_size_has_that_of_the_line_before(tmp_path: Path) -> None:
    (tmp_path / "lab.rep").write_text("0\n3\n4\n0\na 0 24\nf 0 \na 1 \nr 1\n")
    history = open_history(tmp_path / "lab.rep")
    assert [event.size for event in history.events()] == [24, 0, 24, 24]
    assert history.notes[0].startswith("2 lines without a size")


@pytest.mark.parametrize(
    "text",
    [
        b"20000\r\n2\r\n3\r\n1\r\na 0 512\r\na 1 128\r\nf 0\r\n",
        b"\xef\xbb\xbf20000\n2\n3\n1\na 0 512\na 1 128\nf 0",
        b"20000 2 3 1\na 0 512\na 1 128\nf 0\n",  # fscanf takes any white space for a line end
        b"\n20000\n\n2 3\n1\n\n  a 0 512\n# gr\xf6\xdfe\na\t1 128 # two\n\nf 0\n\n",
        b"# no header, as Stanford's scripts\n\na 0 512\na 1 128\nf 0\n",
    ],
)
def test_what_other_editors_and_editions_write_is_read(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "lab.script").write_bytes(text)
    events = list(open_history(tmp_path / "lab.script").events())
    assert [(event.function, event.size) for event in events] == [
        (Function.MALLOC, 512),
        (Function.MALLOC, 128),
        (Function.FREE, 0),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 1 1 1 a 0 8\n", ":1:9: expected the end of the header, found 'a'"),
        ("1\n1 a\n", ":2: the header has 4 lines of one number each; the number of operations is missing"),
        (
            "1\n1\n1\n1\na 0 9000000000000000000\n",
            ": 9,000,000,000,000,000,000 bytes do not fit into the arena of 4 PiB",
        ),
        ("", ": cut off: the header has 4 lines of one number each, and this file 0"),
        ("1\n2\n3\n", ": cut off: the header has 4 lines of one number each, and this file 3"),
        ("1\nx\n", ":2:1: expected the number of ids, found 'x'"),
        ("1\n2\na 0 8\n", ":3: the header has 4 lines of one number each; the number of operations is missing"),
        ("1\n1\n1\n1\nx 0 8\n", ":5:1: expected a, r or f, found 'x'"),
        ("1\n1\n1\n1\na 0\n", ":5:1: expected 'a ID SIZE', found 'a 0'"),
        ("1\n1\n1\n1\nf 0 8\n", ":5:1: expected 'f ID', found 'f 0 8'"),
        ("1\n1\n1\n1\na  0 -8\n", ":5:6: expected a number of bytes, found '-8'"),
        ("1\n1\n1\n1\na -1 8\n", ":5:3: expected the id of a block, found '-1'"),
        ("1\n1\n1\n1\nf 7\n", ":5:3: block 7 was never allocated"),
        ("1\n1\n1\n1\na 7 8\nf 7\nf 7\n", ":7:3: block 7 is freed already"),
        ("1\n1\n1\n1\na 7 8\na 7 8\n", ":6:3: block 7 is not freed yet"),
        ("1\n1\n1\n1\na 0 \xff\n", ":5:5: expected a number of bytes, found '\\\\xff'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "lab.rep").write_text(text, encoding="latin-1")
    with pytest.raises(FormatError) as caught:
        open_history(tmp_path / "lab.rep")
    assert str(caught.value).startswith(f"{tmp_path / 'lab.rep'}{message}")
