"""`m4alloc.view`: what it writes, what it reports, and what it refuses, with nothing half-written."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

import m4alloc
from m4alloc.trace.write import write
from m4alloc.view.explorer import run
from m4alloc.view.explorer.run import view
from m4alloc.view.explorer.run_text import lines
from m4alloc.view.explorer.sources_problem import ViewError
from spec.event import Event, Function
from tests.m4alloc.view.explorer.lives_for_tests import EXCERPTS, SCRIPTS

SCRIPT = SCRIPTS / "misuse" / "double-free.heap"
SQLITE = EXCERPTS / "sqlite3.m4t.xz"


def test_a_picture_carries_marks_and_labels(tmp_path: Path) -> None:
    script = tmp_path / "uaf.heap"
    script.write_text("a = malloc 24\nb = malloc 24\nfree a\nload a 0 8\nlabel here\nc = malloc 500")
    view(script, output=None, svg=tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text()
    assert "event 4: misuse use-after-free: load of 8 bytes" in text
    assert "event 5: label here" in text
    assert ">#2 \u00b7 24 B<" in text and ">M misuse<" in text


def test_the_function_is_the_packages_own(tmp_path: Path) -> None:
    report = m4alloc.view(SCRIPT, output=tmp_path / "x.html")  # type: ignore[operator]  # the package is the function, too
    assert report.output == str(tmp_path / "x.html")
    assert (tmp_path / "x.html").stat().st_size == report.bytes
    assert (tmp_path / "x.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_two_inputs_and_two_allocators_stand_side_by_side(tmp_path: Path) -> None:
    report = view(SCRIPT, SQLITE, output=tmp_path / "x.html")
    assert [life.title for life in report.lives] == ["double-free.heap", "sqlite3"]
    assert 'id="heap-1"' in (tmp_path / "x.html").read_text(encoding="utf-8")
    both = view(SQLITE, allocators=["m4alloc", "system"], output=None)
    assert [life.allocator for life in both.lives] == ["m4alloc", "system malloc"]
    assert len(both.lives[0].events) == len(both.lives[1].events)
    assert both.lives[0].events.size.tolist() == both.lives[1].events.size.tolist()


def test_scripts_run_on_several_machines(tmp_path: Path) -> None:
    report = view(SCRIPT, architectures=["none", "mte"], allocators=["system"], output=None)
    assert [life.protection for life in report.lives] == ["none", "mte-scudo", "none"]


def test_the_report_counts_what_was_found() -> None:
    (heap,) = view(attack="use-after-reuse-write", architectures=["mte"], output=None).to_json()["heaps"]
    assert heap["marks"] == {"attack": 5, "fault": 1}
    assert (heap["protection"], heap["peak_bytes"], heap["blocks"]) == ("mte-scudo", 64, 2)


def test_only_the_first_events_are_drawn_when_there_are_more_than_asked_for() -> None:
    (life,) = view(SQLITE, events=1000, output=None).lives
    assert len(life.events) == 1000
    assert "Only the first 1,000 of 20,548 events are drawn." in life.left_out


def test_a_picture_is_an_svg_document(tmp_path: Path) -> None:
    few = view(SCRIPT, output=None, svg=tmp_path / "few.svg")
    many = view(SQLITE, output=None, svg=tmp_path / "many.svg")
    assert (few.output, many.svg) == ("", str(tmp_path / "many.svg"))
    for name in ("few", "many"):
        assert (tmp_path / f"{name}.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_the_map_as_text_shows_where_something_was_found() -> None:
    text = lines(view(SCRIPT, output=None).lives[0], 60)
    assert text[0] == "double-free.heap"
    assert text[-1].startswith("event 3  misuse double-free: realloc(0x1000, 48) at event 3")
    assert any(line.startswith("found") and line.endswith("^") for line in text)
    assert max(map(len, text[4:-2])) <= 60


def test_a_counterexample_has_a_page_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    m4alloc.model("free_list", constants={"LOCKED": 0}, properties=["handed_out_once"], output=tmp_path)
    (found,) = tmp_path.glob("*.json")
    report = view(found, output="run.html")
    assert report.to_json()["kind"] == "counterexample"
    assert report.to_json()["heaps"] == []
    assert "handed_out_once" in Path("run.html").read_text(encoding="utf-8")
    with pytest.raises(ViewError, match="has a page of its own; give it alone"):
        view(found, SCRIPT, output=None)
    with pytest.raises(ViewError, match="runs on no allocator and no architecture"):
        view(found, output=None, allocators=["system"])
    with pytest.raises(ViewError, match="is one run, drawn whole: no --image, no --events"):
        view(found, output=None, events=7)
    with pytest.raises(ViewError, match="a counterexample has no map"):
        view(found, output=None, svg="x.svg")


@pytest.fixture
def bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder full of what cannot be shown."""
    monkeypatch.chdir(tmp_path)
    write("whole.m4t", [Event(Function.MALLOC, size=8, result=0x1000)])
    write("empty-trace.m4t", [])
    content = Path("whole.m4t").read_bytes()
    Path("cut.m4t").write_bytes(content[:900])
    Path("cut.m4t.xz").write_bytes(SQLITE.read_bytes()[:700])
    Path("empty.m4t").touch()
    Path("empty.heap").touch()
    Path("letter.txt").write_text("Dear reader")
    Path("wrong.heap").write_text("a = malloc 24\nb = mallok 24\n")
    Path("repeat.heap").write_text("label repeat size 3\na = malloc 8\n")
    Path("latin.heap").write_bytes(b"a = malloc 8 # \xe9\n")
    Path("other.json").write_text("[1, 2]")
    Path("object.json").write_text('{"a": 1}')
    Path("broken.json").write_text('{"a": ')
    Path("deep.json").write_text('{"format": "x run", "a": ' + "[" * 100_000)
    Path("run.json").write_text('{"format": "m4alloc/1 run"}')
    Path("folder").mkdir()
    index = {"schema": "m4alloc/1", "kind": "trace-index", "program": [], "status": 0, "images": []}
    Path("nothing.index").write_text(json.dumps(index))
    Path("missing.index").write_text(json.dumps(index | {"images": [{"file": "gone"}]}))
    Path("ok.heap").write_text("a = malloc 8\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gone.m4t"], "gone.m4t: no such file"),
        (["folder"], "folder: a directory; a trace, a recording's index"),
        (["empty.m4t"], "empty.m4t: empty; a trace begins with a header"),
        (["empty-trace.m4t"], "empty-trace.m4t: holds no call: there is nothing to draw"),
        (["empty.heap"], "empty.heap: holds no call"),
        (["cut.m4t"], "cut.m4t: cut off: 900 bytes"),
        (["cut.m4t.xz"], "cut.m4t.xz: cut off: its xz stream has no end"),
        (["letter.txt"], "letter.txt: neither its first bytes nor its name say what it is"),
        (["wrong.heap"], "wrong.heap:2:5: expected a function, a label"),
        (["repeat.heap"], "repeat.heap:1:1: 'label repeat' has no 'label end-repeat' behind it"),
        (["latin.heap"], "latin.heap: not UTF-8: invalid continuation byte at byte 15"),
        (["object.json"], "object.json: JSON, but neither the index of a recording nor a counterexample"),
        (["broken.json"], "broken.json: JSON, but neither"),
        (["deep.json"], "deep.json: JSON, but neither"),
        (["n" * 300], "n" * 300 + ": File name too long"),
        (["run.json"], "run.json holds no run of a model"),
        (["nothing.index"], "nothing.index: no process was recorded"),
        (["missing.index"], "missing.index: its trace gone is not beside it"),
        (["ok.heap", "wrong.heap"], "wrong.heap:2:5: expected"),
        ([], "nothing to show: give a trace"),
        (["ok.heap"] * 5, "5 heaps; a page has room for 4 at most"),
    ],
    ids=lambda value: " ".join(value)[:80] if isinstance(value, list) else "",
)
def test_bad_input_is_told_and_nothing_is_written(bad: Path, words: list[str], message: str) -> None:
    with pytest.raises(ViewError) as told:
        view(*words)
    assert str(told.value).startswith(message)
    assert not list(bad.glob("*.html")) and not list(bad.glob(".*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "folder"}, "folder: a directory; the name of a file is wanted"),
        ({"output": "nowhere/x.html"}, "nowhere/x.html: there is no directory nowhere"),
        ({"output": "ok.heap"}, "ok.heap: the output is the input itself"),
        ({"output": "whole.m4t"}, "whole.m4t: exists and is neither a page nor a picture; it is kept"),
        ({"output": ""}, "the output has no name"),
        ({"output": "/dev/null"}, "/dev/null: neither a file nor a new name"),
        ({"svg": "wrong.heap"}, "wrong.heap: exists and is neither a page nor a picture"),
        ({"svg": "x.svg", "allocators": ["system", "m4alloc"]}, "--svg draws one heap, and there are 2"),
        ({"allocators": ["./no.so"]}, "no allocator ./no.so; it is reference, m4alloc, system, or the path"),
        ({"allocators": ["letter.txt"]}, "letter.txt: not an ELF file"),
        ({"architectures": ["vax"]}, "no architecture or defence is called 'vax'"),
        ({"attack": "double-free"}, "an attack brings its own requests"),
        ({"events": 0}, "--events 0: at least one event"),
        ({"seed": 7}, "--seed goes with --attack"),
        ({"output": "x.svg", "svg": "x.svg"}, "x.svg: both the page and the picture"),
        ({"output": "x.svg", "svg": "folder/../x.svg"}, "folder/../x.svg: both the page and the picture"),
        ({"output": "o" * 300}, "o" * 300 + ": File name too long"),
        ({"source_format": "rosetta"}, "ok.heap: no format 'rosetta'; there are m4t, heap"),
    ],
    ids=str,
)
def test_bad_options_are_told_and_nothing_is_written(bad: Path, options: dict[str, object], message: str) -> None:
    before = sorted(bad.iterdir())
    with pytest.raises(ViewError) as told:
        view("ok.heap", **options)  # type: ignore[arg-type]
    assert str(told.value).startswith(message)
    assert sorted(bad.iterdir()) == before


def test_a_recording_runs_on_no_architecture(bad: Path) -> None:
    with pytest.raises(ViewError, match="--architecture is for heap scripts"):
        view("whole.m4t", architectures=["mte"], output=None)


def test_a_page_that_cannot_be_written_leaves_the_old_one(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view("ok.heap", output="x.html")
    old = Path("x.html").read_bytes()

    def full(path: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ViewError, match=r"x\.html: No space left on device"):
        view("ok.heap", output="x.html")
    assert Path("x.html").read_bytes() == old
    assert not list(bad.glob(".*"))


def test_no_picture_is_written_when_the_page_cannot_be(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def contradicts(lives: object, title: str) -> str:
        raise ValueError("event 1 is about a block that is not there yet")

    monkeypatch.setattr(run, "page", contradicts)
    before = sorted(bad.iterdir())
    with pytest.raises(ViewError, match="this history cannot be drawn: event 1 is about a block that is not there"):
        view("ok.heap", output="x.html", svg="x.svg")
    assert sorted(bad.iterdir()) == before


def test_a_page_goes_where_a_link_leads(bad: Path) -> None:
    Path("link.html").symlink_to("folder/page.html")
    view("ok.heap", output="link.html")
    assert Path("link.html").is_symlink() and Path("folder/page.html").stat().st_size > 10_000
    Path("odd.html").symlink_to("nowhere/page.html")
    with pytest.raises(ViewError, match=r"odd\.html: there is no directory .*nowhere"):
        view("ok.heap", output="odd.html")


def test_a_pipe_is_an_input_as_a_file_is(bad: Path) -> None:
    os.mkfifo("pipe.heap")
    for text, message in (("a = malloc 8\n", ""), ("a = mallok 8\n", "pipe.heap:1:5: expected a function")):
        feeder = threading.Thread(target=Path("pipe.heap").write_text, args=(text,))
        feeder.start()
        if message:
            with pytest.raises(ViewError) as told:
                view("pipe.heap", output=None)
            assert str(told.value).startswith(message)
        else:
            assert [life.title for life in view("pipe.heap", output=None).lives] == ["pipe.heap"]
        feeder.join()


def test_an_attack_takes_no_option_that_is_about_inputs() -> None:
    for options in ({"events": 1}, {"image": "5"}, {"source_format": "rep"}):
        with pytest.raises(ViewError, match="--image, --from and --events are for inputs; an attack has none"):
            view(attack="double-free", output=None, **options)


def test_a_script_runs_on_the_reference_allocator_by_name(bad: Path) -> None:
    (life,) = view("ok.heap", allocators=["reference"], output=None).lives
    assert (life.allocator, life.blocks.base.tolist()) == ("reference allocator, first fit", [0x10000])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_told(bad: Path) -> None:
    Path("folder").chmod(0o555)
    with pytest.raises(ViewError, match="the directory folder is not writable"):
        run.refuse_to_write(Path("folder/x.html"))


def test_a_script_is_of_one_process(tmp_path: Path) -> None:
    with pytest.raises(ViewError, match="--image chooses a process of a recording; a script is of one"):
        view(SCRIPT, image="5", output=tmp_path / "x.html")
