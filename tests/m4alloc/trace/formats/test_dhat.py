"""DHAT profiles: the numbers are valgrind's for the same program, and its own viewer shows them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from m4alloc.check.progress import Silent
from m4alloc.trace.formats import open_history
from m4alloc.trace.formats.dhat import profile_of, write_dhat
from m4alloc.trace.formats.history import of_records, records_of
from spec.event import Event, Function
from tests.m4alloc.view.browser import browser, needs_browser

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "formats"
VIEWER = Path(shutil.which("valgrind") or "/").parent.parent / "libexec" / "valgrind" / "dh_view.html"
SHARED = ("tb", "tbk", "gb", "gbk", "eb", "ebk")


@pytest.fixture(scope="module")
def profiles() -> tuple[dict[str, Any], dict[str, Any]]:
    """Ours, from mtrace's log of churn, and valgrind's own of churn."""
    valgrind = json.loads((VECTORS / "churn.dhat.json").read_text())
    return profile_of(open_history(VECTORS / "churn.mtrace")), valgrind


def test_every_place_has_valgrinds_totals_and_states(profiles: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, valgrind = (sorted([point[key] for key in SHARED] for point in one["pps"]) for one in profiles)
    assert ours == valgrind


def test_the_profile_has_the_fields_that_valgrinds_has(profiles: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, valgrind = profiles
    assert set(ours) == set(valgrind)
    assert (ours["dhatFileVersion"], ours["ftbl"][0]) == (valgrind["dhatFileVersion"], valgrind["ftbl"][0])
    assert {key: type(value) for key, value in ours.items()} == {key: type(value) for key, value in valgrind.items()}
    accesses = {"rb", "wb", "acc"}  # where bkacc is true
    assert set(ours["pps"][0]) == set(valgrind["pps"][0]) - accesses
    assert not ours["bkacc"]


def test_frames_are_indices_into_the_table_and_no_place_is_there_twice(
    profiles: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    ours, _ = profiles
    stacks = [tuple(point["fs"]) for point in ours["pps"]]
    assert len(set(stacks)) == len(stacks)
    assert {frame for stack in stacks for frame in stack} == set(range(1, len(ours["ftbl"])))


def test_lifetimes_peaks_and_ends_are_counted_by_place() -> None:
    events = [
        Event(Function.MALLOC, size=10, result=0x1000, site=1, time_ns=1000),
        Event(Function.MALLOC, size=10, result=0x2000, site=1, time_ns=3000),
        Event(Function.FREE, address=0x1000, site=9, time_ns=7000),
        Event(Function.MALLOC, size=5, result=0x3000, site=2, time_ns=9000),
        Event(Function.FREE, address=0x2000, site=9, time_ns=10_000),
        Event(Function.MALLOC, size=3, result=0x2000, site=2, time_ns=20_000),
    ]
    profile = profile_of(of_records(Path("x"), "m4t", *records_of(events)))
    first, second = profile["pps"]
    assert (profile["tu"], profile["te"], profile["tg"]) == ("µs", 20, 3)
    assert (first["tb"], first["tbk"], first["tl"], first["mb"], first["mbk"]) == (20, 2, 6 + 7, 20, 2)
    assert (first["gb"], first["gbk"], first["eb"], first["ebk"]) == (20, 2, 0, 0)
    assert (second["tb"], second["tl"], second["mb"], second["gb"], second["eb"]) == (8, 11, 8, 0, 8)


def test_accesses_are_counted_where_the_history_has_them() -> None:
    events = [
        Event(Function.MALLOC, size=16, result=0x1000, site=1),
        Event(Function.STORE, address=0x1008, size=8),
        Event(Function.LOAD, address=0x1000, size=4),
        Event(Function.LOAD, address=0x5000, size=4),
        Event(Function.FREE, address=0x1000),
        Event(Function.LOAD, address=0x1000, size=4),
    ]
    profile = profile_of(of_records(Path("x"), "m4t", *records_of(events)))
    assert profile["bkacc"]
    assert (profile["pps"][0]["rb"], profile["pps"][0]["wb"]) == (4, 8)


def test_without_call_sites_places_are_sizes(tmp_path: Path) -> None:
    history = of_records(Path("x"), "m4t", *records_of([Event(Function.MALLOC, size=40, result=0x1000)]))
    lost = write_dhat(tmp_path / "out.dhat.json", history, Silent())
    assert lost[-1] == "the history has no call sites: places are functions and sizes"
    assert json.loads((tmp_path / "out.dhat.json").read_text())["ftbl"] == ["[root]", "malloc", "blocks of 33 to 64 B"]


@needs_browser
@pytest.mark.skipif(not VIEWER.exists(), reason="no viewer: apt install valgrind")
def test_valgrinds_viewer_shows_what_valgrind_says(tmp_path: Path) -> None:
    write_dhat(tmp_path / "out.dhat.json", open_history(VECTORS / "churn.mtrace"), Silent())
    with browser() as page:
        page.open(VIEWER)
        chosen = page.call("Runtime.evaluate", expression="document.querySelector('input[type=file]')")
        object_id = chosen["result"]["objectId"]
        page.call("DOM.setFileInputFiles", files=[str(tmp_path / "out.dhat.json")], objectId=object_id)
        shown = page.until("document.body.innerText.includes('Total:') && document.body.innerText")
        assert page.problems == []
    assert "Total:     16,423 bytes (100%" in shown
    assert "in 32 blocks (100%" in shown
    assert "At t-gmax: 9,036 bytes (100%) in 24 blocks (100%)" in shown
    assert "At t-end:  320 bytes (100%) in 10 blocks (100%)" in shown
    assert "#2: 0x11e2" in shown
