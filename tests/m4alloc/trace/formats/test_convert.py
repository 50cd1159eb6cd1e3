"""Converting: what the report says, which image and allocator are meant, and what is refused, leaving no file."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from m4alloc.cli import Exit
from m4alloc.cli.main import main
from m4alloc.trace.format import TraceError
from m4alloc.trace.formats import FormatError, MissingPackageError, convert, open_history, open_tree
from m4alloc.trace.formats.registry import FORMATS
from m4alloc.trace.index import write_index
from spec.event import Event, Function
from tests.m4alloc.traces import write_trace

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "formats"
CHURN = VECTORS / "churn.mtrace"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """The index of a recording: a parent with two blocks, and the child that it forked, which frees one."""
    first = Event(Function.MALLOC, size=24, result=0x1000, begin=1, end=2)
    second = Event(Function.MALLOC, size=48, result=0x2000, begin=3, end=4)
    third = first._replace(result=0x3000, begin=7, end=8)
    write_trace(tmp_path / "run.100.0", [first, second, third], pid=100)
    own = [Event(Function.FREE, address=0x1000)]
    write_trace(tmp_path / "run.101.0", own, pid=101, parent="run.100.0", fork_sequence=5)
    write_index(tmp_path / "run", ["prog"], 0, [tmp_path / "run.100.0", tmp_path / "run.101.0"])
    return tmp_path / "run"


def test_of_a_recording_the_image_of_most_calls_is_taken(recording: Path, tmp_path: Path) -> None:
    report = convert(recording, tmp_path / "out.heap")
    assert report.events == 3
    assert report.read == ("image 100.0 of 2, the one of most calls (3); --image takes another: 101.0",)


@pytest.mark.parametrize("image", ["101.0", "101", "run.101.0"])
def test_an_image_is_named_and_begins_with_what_it_was_forked_with(image: str, recording: Path, tmp_path: Path) -> None:
    report = convert(recording, tmp_path / "out.rep", image=image)
    assert (tmp_path / "out.rep").read_text() == "1\n2\n3\n0\na 0 24\na 1 48\nf 0\n"
    assert report.read == ("2 blocks from the process that forked this one come first, as calls",)


def test_every_format_is_a_recording_of_one_process(recording: Path) -> None:
    assert [trace.pid for trace in open_tree(recording).traces] == [100, 101]
    (trace,) = open_tree(CHURN).traces
    assert trace.used == 49


def test_the_report_is_what_was_read_and_written(tmp_path: Path) -> None:
    report = convert(CHURN, tmp_path / "out.rep", allocator="reference")
    assert report.to_json() | {"read": [], "lost": []} == {
        "schema": "m4alloc/1",
        "verb": "convert",
        "source": {"path": str(CHURN), "format": "mtrace"},
        "target": {"path": str(tmp_path / "out.rep"), "format": "rep", "bytes": (tmp_path / "out.rep").stat().st_size},
        "events": 48,
        "blocks": 26,
        "allocated_bytes": 16423,
        "peak_bytes": 9036,
        "left": {"blocks": 10, "bytes": 320},
        "placed_by": "reference",
        "read": [],
        "lost": [],
    }
    assert report.lines()[0].endswith(
        "48 events, 26 blocks, 16.4 kB asked for, 9.04 kB at once; 10 blocks, 320 B never freed"
    )


def test_formats_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(CHURN.read_bytes())
    convert(tmp_path / "log", tmp_path / "out", source_format="mtrace", target_format="parquet")
    assert open_history(tmp_path / "out").format == "parquet"


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says that refuses the words."""
    assert main(["convert", *words]) == Exit.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err.removeprefix("m4alloc convert: ").strip()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["CHURN", "out.xyz"],
            "out.xyz: the name says no format that can be written; it may end in .m4t .m4t.xz (m4t), ",
        ),
        (
            ["CHURN", "out.mtrace"],
            "out.mtrace: glibc's mtrace log can only be read, not written; written are: m4t, heap, ",
        ),
        (["DHAT", "out.m4t"], "churn.dhat.json: a DHAT profile (JSON) can only be written, not read; read are: m4t, "),
        (
            ["README.md", "out.m4t"],
            "README.md: neither its first bytes nor its name say what it is; `m4alloc convert --from",
        ),
        (
            ["CHURN", "out.m4t", "--from", "x"],
            "no format 'x'; there are m4t, heap, rep, mtrace, ltrace, heaptrack, csv, ",
        ),
        (["CHURN", "none/out.m4t"], "none/out.m4t: there is no folder none to write it to"),
        (
            ["CHURN", "out.m4t", "--allocator", "none"],
            "no allocator none; it is reference, m4alloc, system, or the path of a library",
        ),
        (["none.m4t", "out.m4t"], "none.m4t: No such file or directory"),
        (
            ["CHURN", "out.m4t", "--image", "7"],
            "churn.mtrace: only a recording has images, and this is glibc's mtrace log",
        ),
        (["CHURN", "out.m4t", "--from", "m4t"], "churn.mtrace: neither a trace"),
        (
            ["CHURN", "out.m4t", "--from", "rep"],
            "churn.mtrace:1:1: expected the suggested heap size or the weight, found '='",
        ),
    ],
)
def test_what_is_refused_is_said_in_a_line_and_leaves_no_file(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("hello\n")
    known = {"CHURN": str(CHURN), "DHAT": str(VECTORS / "churn.dhat.json")}
    said = refused([known.get(word, word) for word in words], capsys)
    assert said.removeprefix(f"{VECTORS}/").startswith(message), said
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_an_output_that_is_the_input_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.heap").write_text("free NULL\n")
    path = str(tmp_path / "a.heap")
    assert refused([path, path], capsys) == f"{path}: the output is the input itself; write to another name"


def test_an_old_output_stays_when_the_input_is_at_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out.csv").write_text("old")
    (tmp_path / "a.heap").write_text("a = malloc 24\nfree b\n")
    said = refused([str(tmp_path / "a.heap"), str(tmp_path / "out.csv")], capsys)
    assert said.startswith(f"{tmp_path}/a.heap:2:6: expected the name of a block")
    assert (tmp_path / "out.csv").read_text() == "old"


def test_there_must_be_such_an_image(recording: Path) -> None:
    with pytest.raises(
        FormatError, match=r"no image 7 in this recording; there are 100.0 \(3 calls\), 101.0 \(1 calls\)"
    ):
        open_history(recording, image="7")


def test_a_package_that_is_missing_is_named_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"pyarrow, which is not installed: pip install 'm4alloc\[arrow\]'"):
        convert(CHURN, tmp_path / "out.arrow")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it names no columns; wanted are function, address, size, result at least (docs/formats.md)"),
        ("function,size\n", "no column address or result among function, size"),
        ("function,address,size,result,size\n", "two columns are called size"),
        ("function,address,size,result\nmalloc,0,8\n", ":2: 3 cells, and the first line names 4 columns"),
        ("function,address,size,result\nmallok,0,8,16\n", ":2: no function 'mallok'; there are malloc, calloc, "),
        (
            "function,address,size,result\nmalloc,0,-8,16\n",
            ":2: column size: expected a number from 0 to 18446744073709551615",
        ),
        ("function,address,size,result\nfree,1,0,0\nmalloc,0,x,1\n", ":3: column size: expected a number from 0"),
        ("function,address,size,result,count\nmalloc,0,8,16,2\n", "row 1: malloc has no count, and here it is 2"),
        ("function,address,size,result,label\nfree,1,0,0,x\n", ":2: column label: only a label has a text"),
        ('function,address,size,result\n"free,1,0,0\n', ":2: unexpected end of data"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FormatError) as caught:
        open_history(tmp_path / "a.csv")
    assert message in str(caught.value)


def test_a_damaged_table_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for name, start in (("a.arrow", b"ARROW1"), ("a.parquet", b"PAR1")):
        (tmp_path / name).write_bytes(start + b"\0" * 99)
        with pytest.raises(FormatError, match=r"not an? \w+ file that can be read"):
            open_history(tmp_path / name)


def test_a_column_of_another_kind_is_told(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"function": ["free"], "address": [-1], "size": [0], "result": [0]}
    parquet.write_table(arrow.table(columns), tmp_path / "a.parquet")
    with pytest.raises(FormatError, match=r"column address: expected uint64, found int64: .*-1"):
        open_history(tmp_path / "a.parquet")


def test_the_page_and_the_help_name_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "formats.md").read_text(encoding="utf-8")
    for each in FORMATS:
        (row,) = re.findall(rf"^\|[^|]+\| `{each.name}` \|.*$", page, re.MULTILINE)
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert [cell == "yes" for cell in cells[3:5]] == [bool(each.reader), bool(each.writer)], each.name
        assert each.suffixes[0] in cells[2]
    with pytest.raises(SystemExit):
        main(["convert", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "read are " + ", ".join(each.name for each in FORMATS if each.reader) in told
    assert "written are " + ", ".join(each.name for each in FORMATS if each.writer) in told


def test_the_command_prints_json_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(CHURN), str(tmp_path / "out.arrow"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["target"]["format"] == "arrow"


def test_an_output_that_takes_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.heap").write_text("a = malloc 24\n")
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        convert(tmp_path / "a.heap", "/dev/full", target_format="csv")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.mtrace", "no line of mtrace's in it, such as '= Start'"),
        ("x.csv", "it names no columns; wanted are function, address, size, result at least"),
        ("x.rep", "cut off: the header has 4 lines"),
        ("x.m4t", "empty; a trace begins with a header"),
        ("x.heaptrack", "not heaptrack's data"),
        ("x.ltrace", "no call of malloc's family in it"),
    ],
)
def test_an_empty_file_is_no_history(tmp_path: Path, name: str, message: str) -> None:
    source, target = tmp_path / name, tmp_path / "out.heap"
    source.write_bytes(b"")
    with pytest.raises(TraceError, match=message):
        convert(source, target)
    assert not target.exists()
