"""Scripts, what came of them, and histories, as notebooks show them."""

from __future__ import annotations

from xml.etree import ElementTree

from spec.event import Event, Function
from spec.listing import History
from spec.script import check, parse, render
from spec.script_picture import MOST

BROKEN = "a = malloc 24 -> 0x1000 usable 32\nb = malloc 24 -> 0x1010    ! violates result-disjoint"


def _words(shown: str) -> str:
    return "".join(ElementTree.fromstring(f"<div>{shown}</div>").itertext())


def _history(length: int) -> History:
    return History(Event(Function.MALLOC, size=8, result=4096 + 16 * n, begin=n, end=0) for n in range(1, length + 1))


def test_a_script_is_its_text_with_the_claims_in_bold() -> None:
    script = parse('a = malloc 24\nlabel "a < b & c"\nfree a\nfree a  ! misuse double-free a ! caught')
    assert str(script) == render(script)
    assert _words(script._repr_html_()).splitlines() == str(script).splitlines()
    assert "<b>! misuse double-free a    ! caught</b>" in script._repr_html_()


def test_an_outcome_says_whether_all_is_as_claimed_and_shows_the_heap() -> None:
    good, bad = check(parse(BROKEN)), check(parse(BROKEN.partition("!")[0]))
    assert _words(good._repr_html_()).startswith("AS CLAIMED 2 events")
    assert "NOT AS CLAIMED" in bad._repr_html_()
    assert "nobody claimed: result-disjoint: malloc(24) at event 2" in _words(bad._repr_html_())
    assert "<svg" in good._repr_html_()
    assert "<svg" not in check(parse("free NULL"))._repr_html_()


def test_a_history_is_a_list_that_prints_as_a_script() -> None:
    events = History([Event(Function.MALLOC, 2, size=8, result=4096, usable=16), Event(Function.FREE, address=4096)])
    assert events == [*events]
    assert str(events) == "@2 a = malloc 8 -> 0x1000 usable 16\nfree a"
    rows = [*ElementTree.fromstring(events._repr_html_()).iter("tr")]
    assert [cell.text or "" for cell in rows[1]] == ["1", "2", "a = malloc 8", "0x1000", "16"]
    assert [cell.text or "" for cell in rows[2]] == ["2", "0", "free a", "", ""]


def test_a_failed_call_says_so() -> None:
    shown = History([Event(Function.MALLOC, size=1 << 40, errno=12)])._repr_html_()
    assert "NULL errno 12" in _words(shown)


def test_of_a_long_history_the_beginning_and_the_end_are_shown() -> None:
    rows = [*ElementTree.fromstring(_history(1000)._repr_html_()).iter("tr")]
    assert len(rows) == MOST + 2
    assert [rows[1][0].text, rows[-1][0].text] == ["1", "1,000"]
    assert "... 940 more" in _words(_history(1000)._repr_html_())
    assert "more" not in _history(MOST)._repr_html_()
