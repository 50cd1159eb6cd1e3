"""The page of a watched run is whole, tells each finding with its pictures, and shows no state that was not reached."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from m4alloc import _backend
from m4alloc.monitor.page import page
from m4alloc.monitor.page_automaton import automaton
from m4alloc.monitor.report import Access, BlockStory, Finding, Frame, MonitorReport, PropertyAnswer
from m4alloc.monitor.run import monitor
from m4alloc.monitor.story import story
from tests.m4alloc.monitor.watched import build

VOID = {"meta", "br", "hr", "img", "input", "link"}
S1 = "access-only-while-allocated"
STACK = (Frame(0x401000, "use<it>", "a.c", 7, "/bin/a", 0x1000),)


def finding(**changes: object) -> Finding:
    values: dict[str, object] = {
        "class_": "use-after-free",
        "name": S1,
        "formula": "(!access W malloc) && [](free -> X(!access W malloc))",
        "violated": (S1,),
        "verdict": "violated",
        "event": 37,
        "thread": 2,
        "pid": 4711,
        "command": "./a",
        "access": Access("write", 0x7003, 1),
        "block": BlockStory(0x7000, 40, "freed", 3, 24, 25),
        "stacks": {"here": STACK, "malloc": STACK, "free": STACK},
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type]


def report(*findings: Finding) -> MonitorReport:
    told = PropertyAnswer(S1, "f & g", "address", "Memory is accessed in time.", False, "VIOLATED", len(findings))
    return MonitorReport(("./a", "<b>"), 1, 4711, True, findings, (told,))


class Whole(HTMLParser):
    """Every element is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_escaped() -> None:
    text = page(report(finding(), finding(class_="double-free", access=Access("free", 0x7000))))
    whole = Whole()
    whole.feed(text)
    assert whole.open == []
    assert "use&lt;it&gt;" in text
    assert "use<it>" not in text
    assert "<b>" not in text


def test_a_finding_has_its_timeline_its_bytes_and_its_automaton() -> None:
    text = page(report(finding()))
    titles = re.findall(r'aria-label="([^"]*)"', text)
    assert titles == ["The life of the block", "The bytes around the address", f"The monitor of {S1}"]
    assert "write of 1 byte" in text
    assert "byte 3 of its block" in text


def test_a_leak_has_no_bytes_around_an_address() -> None:
    leak = finding(
        class_="leak", name="freed-eventually", verdict="violated at exit", access=None, blocks=3, bytes=120,
        block=BlockStory(0x7000, 40, "live", None, 24),
    )  # fmt: skip
    text = page(report(leak))
    assert "at the end of the program 3 blocks of 120 B were owed" in text
    assert "The bytes around the address" not in text


def test_a_report_without_findings_has_its_properties() -> None:
    text = page(report())
    assert "Memory is accessed in time." in text
    assert "HOLDS" in text


def test_the_story_without_a_trace_is_malloc_free_and_what_was_wrong() -> None:
    known = story(finding())
    assert [(moment.what, moment.event, moment.wrong) for moment in known.moments] == [
        ("malloc, 40 bytes", 24, False),
        ("free", 25, False),
        ("write of 1 byte", 37, True),
    ]
    assert known.moments[-1].letter == {"access", "client_access_mem"}


def test_an_access_that_is_not_within_its_block_is_outside() -> None:
    for offset, size, outside in ((0, 40, False), (39, 1, False), (39, 2, True), (40, 1, True), (-1, 1, True)):
        access, block = Access("read", 0x7000 + offset, size), BlockStory(0x7000, 40, "live", offset, 24)
        last = story(finding(access=access, block=block)).moments[-1]
        assert ("outside" in last.letter) is outside


def test_the_automaton_marks_the_state_that_the_letters_lead_to() -> None:
    malloc, free, access = frozenset({"malloc"}), frozenset({"free"}), frozenset({"access"})
    drawn = str(automaton(S1, [malloc, free, access], True))
    assert drawn.count("the run is here") == 1
    assert re.search(r">violated</tspan>.{0,200}the run is here", drawn)
    held = str(automaton(S1, [malloc], False))
    assert held.count("the run is here") == 1
    assert re.search(r"nothing is owed.{0,400}malloc, access: stays.{0,200}the run is here", held)


def test_an_automaton_that_is_too_large_is_not_drawn() -> None:
    deep = "[](free -> X X X X X X X malloc)"
    assert automaton(deep, [], False) is None


@pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")
def test_the_page_of_a_run_tells_what_its_trace_knows(tmp_path: Path) -> None:
    body = "p = malloc(40); q = malloc(40); free(p);\nfor (int i = 0; i < 5; i++) free(malloc(200));\np[3] = 1;"
    target = tmp_path / "page.html"
    found = monitor([build(tmp_path, body)], output=target, stderr=subprocess.DEVNULL)
    text = target.read_text()
    assert found.page == str(target)
    assert found.findings[0].trace == str(tmp_path / "page.m4t")
    assert "10 others" in text
    assert f"m4alloc verify --trace {tmp_path}/page.m4t" in text
